"""What a container can't do by itself, asked of the tidegate that started it from outside.

An app's image rarely has pg_dump, and what a one-off container writes is lost with it. So the
database's part of a backup is done here, under the election, and the files are written where the
command was typed. A question is an event on stdout. An answer, and everything secret or large, is
a file in a folder that both see: what a container prints goes to the engine's logs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate import errors
from tidegate.container.report import Report
from tidegate.errors import StepFailed, TidegateError
from tidegate.model.connection import Connection, Secret

VARIABLE = "TIDEGATE_ERRANDS"
STAGE = "errand"
KNOWN = "backups.json"
"""The backups that the outside has, for a way back to be planned by."""
ALIVE = "alive"
SILENCE = 30.0  # seconds without a sign of life of the outside
POLL = 0.05
KINDS = {
    one.exit_code: one
    for one in (errors.UsageProblem, errors.NotReady, errors.RefusedForGood, errors.StepFailed,
                errors.PolicyRefused, errors.ElectionNotWon)
}  # fmt: skip


class Errand:
    """One question to the outside. `hidden` is for its eyes, and for no log."""

    def __init__(
        self, environ: Mapping[str, str], report: Report, what: str, alias: str,
        hidden: Mapping[str, Any] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        self.folder = Path(environ[VARIABLE])
        self.number = f"{os.getpid()}-{time.monotonic_ns():x}"
        if hidden is not None:
            self.give("hidden", hidden)
        report.stage(STAGE, alias, what, number=self.number, **more)

    def give(self, name: str, value: Mapping[str, Any]) -> None:
        """Leave something for the outside to read."""
        write(self.folder, f"{self.number}.{name}", value)

    def wait(self, name: str = "answer") -> dict[str, Any]:
        """Wait for what the outside leaves. Raises what went wrong there."""
        sign, since = "", time.monotonic()
        while True:
            for given in (name, "answer"):
                found = read(self.folder, f"{self.number}.{given}")
                if found is not None:
                    return _checked(found)
            now = _text(self.folder / ALIVE)
            if now != sign:
                sign, since = now, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                raise StepFailed(
                    "the tidegate that started this container is gone",
                    "It was to write the backup's files. Nothing was changed.", "start again",
                )  # fmt: skip
            time.sleep(POLL)


def write(folder: Path, name: str, value: Mapping[str, Any]) -> None:
    """Write a file whole, or not at all; who reads it may be another account."""
    part = folder / f".{name}"
    part.write_text(json.dumps(value), "utf-8")
    part.chmod(0o644)
    part.replace(folder / name)


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """Return what a file holds, or None where it is not there yet."""
    text = _text(folder / name)
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    failed = found.get("failed")
    if failed:
        kind = KINDS.get(int(failed["code"]), StepFailed)
        raise kind(failed["what"], failed["meaning"], failed["next"])
    return found


def failure(error: TidegateError) -> dict[str, Any]:
    """Return the answer that raises this error at the one who asked."""
    said = {"code": error.exit_code, "what": error.what, "meaning": error.meaning}
    return {"failed": {**said, "next": error.next}}


def written_out(connection: Connection) -> dict[str, Any]:
    """Return a connection as a document, with its password."""
    names = ("alias", "vendor", "host", "port", "user", "name")
    plain = {key: str(value) for key, value in connection.options.items()}
    fields = {name: getattr(connection, name) for name in names}
    return {**fields, "password": connection.password.reveal(), "options": plain}


def read_in(raw: Mapping[str, Any]) -> Connection:
    """Return the connection that `written_out` wrote."""
    return Connection(**{**raw, "password": Secret(str(raw["password"]))})
