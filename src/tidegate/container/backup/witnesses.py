"""A backup proved while it goes by: who encrypts one for others can't read it back.

A witness gets a copy of every byte before it is encrypted, and reads it in a thread of its own as
it would read the archive. Its verdict waits for the manifest, which is known when all went by.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tidegate.container.backup.archive import FORM, Backup
from tidegate.container.backup.feeding import Pipe

Prove = Callable[[Backup], None]


class _GivenUp(Exception):
    """What went by did not come to its end."""


class Witness:
    """One reader of what goes by."""

    def __init__(self, name: str, known: Mapping[str, Any], prove: Prove) -> None:
        manifest = {**known, "form": FORM, "files": {name: {"bytes": 0}}}
        self._backup = Backup(Path(name), manifest, opened=self._opened)
        self._reader, writer = os.pipe()
        self._pipe = Pipe(writer)
        self._whole = threading.Event()
        self._given_up = False
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(prove,), daemon=True)
        self._thread.start()

    def _run(self, prove: Prove) -> None:
        try:
            prove(self._backup)
        except BaseException as error:  # raised by the one who writes
            self._failed.append(error)
        finally:
            if self._reader >= 0:  # it ended before it began to read
                os.close(self._reader)

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        reader, self._reader = self._reader, -1
        with os.fdopen(reader, "rb") as source:
            yield source
        self._whole.wait()
        if self._given_up:
            raise _GivenUp

    def write(self, data: bytes) -> None:
        """Take a copy. Raises what the proof raised, as soon as it did."""
        self._raise()
        self._pipe.write(data)

    def close(self) -> None:
        """Say that all went by."""
        self._pipe.close()

    def agree(self, manifest: Mapping[str, Any]) -> None:
        """Give it the manifest, and wait for its verdict."""
        files = self._backup.manifest["files"]
        self._backup.manifest.update({**manifest, "files": files})
        self._whole.set()
        self._thread.join()
        self._raise()

    def give_up(self) -> None:
        """Have it end, whatever it thinks."""
        self._given_up = True
        self._whole.set()
        self._pipe.close()
        self._thread.join()

    def _raise(self) -> None:
        if self._failed:
            raise self._failed[0]


class Witnesses:
    """All readers of one file, and the door that it is written to besides."""

    def __init__(self, proofs: Sequence[Prove]) -> None:
        self._proofs = proofs
        self._all: list[Witness] = []

    def begin(self, name: str, known: Mapping[str, Any]) -> None:
        """Have each begin; what is known of the dump so far is what they begin with."""
        self._all = [Witness(name, known, prove) for prove in self._proofs]

    def write(self, data: bytes) -> None:
        """Show it to each."""
        for one in self._all:
            one.write(data)

    def close(self) -> None:
        """Say that all went by."""
        for one in self._all:
            one.close()

    def agree(self, manifest: Mapping[str, Any]) -> None:
        """Return when each has found that what went by is what the manifest says."""
        for one in self._all:
            one.agree(manifest)

    def give_up(self) -> None:
        """End them."""
        for one in self._all:
            one.give_up()
