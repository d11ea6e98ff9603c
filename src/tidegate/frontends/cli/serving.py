"""What a one-off container asks of us on the way: a folder that both see, and who answers.

See `container.backup.errands` for the other side.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.container.backup import errands
from tidegate.errors import StepFailed, Stopped, TidegateError
from tidegate.model.connection import Connection
from tidegate.targets import archive

INNER = "/tidegate-errands"
BEAT = 2.0  # seconds between two signs of life
POLL = 0.05
LEFT = 3600.0  # seconds without a sign of life: whoever made the folder was killed

Answers = Mapping[str, Callable[["Asked"], Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of the container's."""

    folder: Path
    event: Mapping[str, Any]
    runs: Callable[[], bool]

    @property
    def number(self) -> str:
        """What its files are called after."""
        return str(self.event["number"])

    def connection(self) -> Connection:
        """Return the login that the container left for us; it is gone from the folder then."""
        name = f"{self.number}.hidden"
        found = errands.read(self.folder, name)
        (self.folder / name).unlink(missing_ok=True)
        if found is None:
            raise _apart()
        return errands.read_in(found)

    def say(self, name: str, value: Mapping[str, Any]) -> None:
        """Leave something for the container to read."""
        errands.write(self.folder, f"{self.number}.{name}", value)

    def wait(self, name: str) -> dict[str, Any]:
        """Wait for what the container leaves."""
        while True:
            running = self.runs()
            found = errands.read(self.folder, f"{self.number}.{name}")
            if found is not None:
                return found
            if not running:
                raise StepFailed("the container ended before it had counted the rows")
            time.sleep(POLL)


class Serving:
    """The folder, while a container may ask. Use it as a context manager."""

    def __init__(self, environ: Mapping[str, str], answers: Answers) -> None:
        self.answers = answers
        self.problem: BaseException | None = None
        self._environ = environ
        self._done = threading.Event()

    def __enter__(self) -> Serving:
        place = archive.folder(self._environ)  # what an engine in a VM sees of this machine
        place.mkdir(parents=True, exist_ok=True)
        _tidy(place)
        self._outer = Path(tempfile.mkdtemp(prefix="errands-", dir=place))  # for this user alone
        self.folder = self._outer / "shared"
        self.folder.mkdir()
        self.folder.chmod(0o777)  # the container's user is another one
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._done.set()
        self._thread.join(2)
        shutil.rmtree(self._outer, ignore_errors=True)

    @property
    def mounts(self) -> dict[str, str]:
        """What the container has to see."""
        return {INNER: str(self.folder)}

    @property
    def variables(self) -> Sequence[str]:
        """What tells it so."""
        return (f"{errands.VARIABLE}={INNER}",)

    def _live(self) -> None:
        count = 0
        while True:
            count += 1
            try:
                (self.folder / errands.ALIVE).write_text(str(count))
            except OSError:
                return
            if self._done.wait(BEAT):
                return

    def __call__(self, event: Mapping[str, Any], runs: Callable[[], bool]) -> None:
        """Do what is asked and answer it; a failure is answered, and kept to be raised."""
        asked = Asked(self.folder, event, runs)
        try:
            asked.say("answer", self.answers[str(event["text"])](asked))
        except Stopped:
            raise
        except TidegateError as error:
            self.problem = error
            asked.say("answer", errands.failure(error))
        except Exception as error:
            self.problem = error
            asked.say("answer", errands.failure(StepFailed(f"{type(error).__name__}: {error}")))


def _tidy(place: Path) -> None:
    """Remove the folders that killed processes left; none of theirs has been alive for an hour."""
    for folder in place.glob("errands-*"):
        with suppress(OSError):
            if time.time() - (folder / "shared" / errands.ALIVE).stat().st_mtime > LEFT:
                shutil.rmtree(folder, ignore_errors=True)


def _apart() -> StepFailed:
    return StepFailed(
        "the container and this machine do not see the same folder",
        "The engine runs elsewhere, or may not share the folder of this user's cache.",
        "run tidegate on the machine of the engine, or in the app's container: --local",
    )
