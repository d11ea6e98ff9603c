"""What an update writes down beside the engine: who is at it, what ran before, what ran well last.

It lies in the user's own state folder, readable for that user alone, since a configuration holds
what the env file holds; `records` carries it to the engine, for everybody who may use that.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from tidegate.contracts.target import Target, Teller
from tidegate.errors import ElectionNotWon
from tidegate.workflows.update import holding, records

CUT_OFF = ("static", "replace", "verify", "undo")  # stages in which what serves was touched


@dataclass(frozen=True, slots=True)
class Release:
    """What ran before an update: images, configurations and numbers of containers, by service.

    `kept` are the names under which the images are kept. `moved` are the images that a reference
    named before the build, so that it can name them again.
    """

    stamp: str
    images: Mapping[str, str] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


class State:
    """The folder of one project."""

    def __init__(self, name: str, root: Path, environ: Mapping[str, str]) -> None:
        engine = environ.get("DOCKER_HOST", "") + environ.get("DOCKER_CONTEXT", "")
        place = hashlib.sha256(f"{name}\0{engine}".encode()).hexdigest()[:8]
        self.folder = home(environ) / f"{name}-{place}"
        self.project = name
        self._hold: holding.Hold | None = None
        self._send: Callable[[], None] | None = None
        self._touched = False

    @contextmanager
    def held(self, target: Target, tell: Teller) -> Iterator[None]:
        """Be the only update of this project for a while, with what the last one has left.

        The lock of this account is the system's own, on an open file: it ends with the process,
        however that ends. Others are kept out by a mark on the engine. Raises ElectionNotWon and
        says who holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.folder / "lock", "a+", encoding="utf-8") as file:
            if not _locked(file):
                raise ElectionNotWon(
                    f"another update of {self.project} is running",
                    f"It is {_holder(self.folder)}. Nothing was changed by this one.",
                    "wait until it has ended, then run this again",
                )
            _write(self.folder / "holder.json", holding.who())
            self._hold = holding.Hold(target.shared, self.project, self.folder, tell)
            try:
                self._hold.take()
                records.bring(self.folder, target.shared, tell)
                self._send = lambda: records.send(self.folder, target.shared, tell)
                try:
                    yield
                finally:
                    if not self._hold.lost:
                        self._send()
            finally:
                self._send = None
                self._hold.release()
                (self.folder / "holder.json").unlink(missing_ok=True)

    def refuse_lost(self) -> None:
        """Raise ElectionNotWon where another update has taken over, as this one seemed dead."""
        if self._hold is not None and self._hold.lost:
            raise ElectionNotWon(
                f"another update of {self.project} has begun, and took this one for dead",
                "It gave no sign for half a minute: this machine was asleep, or could not reach "
                "the engine. This one does nothing more.",
                "see tidegate status",
            )

    def look(self, target: Target, tell: Teller) -> None:
        """Take over what another account or machine has written down; nothing is held."""
        records.bring(self.folder, target.shared, tell)
        records.bring(self.folder, target.shared, tell, records.PROOFS)

    def begin(self, release: Release) -> None:
        """Write down what an update that begins now has to go back to."""
        _write(self.folder / "update.json", {"stage": "begin", **asdict(release)})

    def reached(self, stage: str) -> None:
        """Write down how far the update is."""
        raw = self._read("update.json")
        _write(self.folder / "update.json", {**raw, "stage": stage})
        if stage in CUT_OFF and not self._touched and self._send:
            self._touched = True
            self._send()

    def unfinished(self) -> tuple[str, Release] | None:
        """Return the stage in which an update was cut off, and what ran before it."""
        raw = self._read("update.json")
        if not raw:
            return None
        stage = str(raw.pop("stage"))
        return stage, Release(**raw)

    def end(self) -> None:
        """Forget the update: it ended, well or undone."""
        (self.folder / "update.json").unlink(missing_ok=True)

    def keep(self, configuration: str, digests: Mapping[str, str]) -> None:
        """Keep the configuration that runs well now, for the next update to go back to."""
        _write_text(self.folder / "configuration.json", configuration)
        _write(self.folder / "digests.json", dict(digests))

    def kept(self) -> tuple[str, Mapping[str, str]]:
        """Return the path of the kept configuration, and its services' digests."""
        path = self.folder / "configuration.json"
        return (str(path), self._read("digests.json")) if path.is_file() else ("", {})

    def releases(self) -> list[dict[str, Any]]:
        """Return the releases that ran well, oldest first, as they were recorded."""
        found: list[dict[str, Any]] = self._read("releases.json").get("releases", [])
        return found

    def record(self, releases: Sequence[Mapping[str, Any]]) -> None:
        """Write down the releases that ran well."""
        _write(self.folder / "releases.json", {"releases": list(releases)})

    def proofs(self) -> list[dict[str, Any]]:
        """Return what rehearsals have proved, oldest first."""
        found: list[dict[str, Any]] = self._read("proofs.json").get("proofs", [])
        return found

    def prove(self, proofs: Sequence[Mapping[str, Any]]) -> None:
        """Write down what rehearsals have proved."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self.folder / "proofs.json", {"proofs": list(proofs)})

    @contextmanager
    def proving(self, target: Target, tell: Teller) -> Iterator[None]:
        """Begin with what is proved on the engine, and have it there what is proved meanwhile."""
        records.bring(self.folder, target.shared, tell, records.PROOFS)
        yield
        records.send(self.folder, target.shared, tell, records.PROOFS)

    def keep_of(self, stamp: str, configuration: str) -> None:
        """Keep the configuration of one release; an empty one is forgotten."""
        path = self.folder / f"release-{stamp}.json"
        if configuration:
            _write_text(path, configuration)
        else:
            path.unlink(missing_ok=True)

    def kept_of(self, stamp: str) -> str:
        """Return the path of a release's configuration, or an empty string."""
        path = self.folder / f"release-{stamp}.json"
        return str(path) if path.is_file() else ""

    def other(self, name: str, configuration: str) -> str:
        """Write a configuration for one command; return its path."""
        path = self.folder / f"{name}.json"
        _write_text(path, configuration)
        return str(path)

    def wish(self, raw: Mapping[str, Any] | None) -> None:
        """Write down what a rollback that begins is about; None forgets it."""
        if raw is None:
            (self.folder / "rollback.json").unlink(missing_ok=True)
        else:
            _write(self.folder / "rollback.json", raw)
            if self._send:
                self._send()

    def wished(self) -> dict[str, Any]:
        """Return what a rollback that was cut off was about; empty when none was."""
        return self._read("rollback.json")

    def _read(self, name: str) -> dict[str, Any]:
        try:
            raw = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return raw if isinstance(raw, dict) else {}


def home(environ: Mapping[str, str]) -> Path:
    """Return the user's state folder for tidegate."""
    user = Path(environ.get("HOME") or Path.home())
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"]) / "tidegate"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or user) / "tidegate" / "state"
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "tidegate"
    return user / ".local" / "state" / "tidegate"


def _locked(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(folder: Path) -> str:
    try:
        raw = json.loads((folder / "holder.json").read_text(encoding="utf-8"))
        return f"process {raw['pid']} of {raw['user']}, since {raw['since']}"
    except (OSError, ValueError, KeyError):
        return "a process that has just begun"


def _write(path: Path, raw: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(raw, indent=1))


def _write_text(path: Path, text: str) -> None:
    records.write(path, text.encode("utf-8"))
