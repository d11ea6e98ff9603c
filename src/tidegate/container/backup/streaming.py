"""A backup that goes into a bucket as it is dumped, and is read from there, where this machine has
no room for it.

It is proved by reading it back from the bucket. The manifest comes after that: what lies there
before is no backup.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from tidegate.container.backup import shelf
from tidegate.container.backup.archive import FORM, MANIFEST, SUMS, Backup, Damaged, Draft, Writer
from tidegate.container.backup.stores import Bucket

ROOM = 16 << 20  # bytes that stay free on a disk


@dataclass(slots=True)
class Sent(Draft):
    """A draft whose one file goes straight into a bucket."""

    bucket: Bucket | None = None
    name: str = ""
    expected: int = 0

    @contextmanager
    def file(self, name: str, tell: Callable[[int], None]) -> Iterator[Writer]:
        """Open it."""
        assert self.bucket
        with self.bucket.writing(f"{self.name}/{name}", self.expected) as upload:
            writer = Writer(upload, tell)
            yield writer
        self.files[name] = {"bytes": writer.count, "sha256": writer.digest.hexdigest()}


def keep(
    bucket: Bucket, alias: str, expected: int, dump: Callable[[Draft], Mapping[str, Any]],
    prove: Callable[[Backup], None],
) -> Backup:  # fmt: skip
    """Have a dump written into the bucket, prove what lies there, and give it its manifest."""
    name = shelf.name_for(alias, secrets.token_hex(3))
    draft = Sent(Path(), bucket=bucket, name=name, expected=expected)
    try:
        manifest, papers = draft.papers(dump(draft))
        backup = Backup(Path(name), manifest, f"{bucket.url}/{name}")
        prove(readable(bucket, backup))
        for file in (SUMS, MANIFEST):
            bucket.place(f"{name}/{file}", papers[file])
    except BaseException:
        bucket.forget([f"{name}/{file}" for file in (MANIFEST, SUMS, *draft.files)])
        raise
    backup.seal = sha256(papers[SUMS]).hexdigest()
    return backup


def fits(backup: Backup, folder: Path) -> bool:
    """Return whether a folder has room for a backup that is fetched."""
    return shutil.disk_usage(folder).free > backup.bytes + ROOM


def can(backup: Backup) -> bool:
    """Return whether it can be read as one stream."""
    manifest = backup.manifest
    plain = "encrypted" not in manifest
    return plain and manifest["vendor"] == "postgresql" and manifest["form"] == FORM


def readable(bucket: Bucket, backup: Backup) -> Backup:
    """Return the backup as one whose data are read from the bucket, and compared each time."""
    ((file, known),) = backup.manifest["files"].items()

    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with _fed(bucket, f"{backup.path.name}/{file}", str(known["sha256"])) as source:
            yield source

    return Backup(backup.path, backup.manifest, backup.url, backup.seal, opened=opened)


@contextmanager
def _fed(bucket: Bucket, name: str, digest: str) -> Iterator[IO[bytes]]:
    """Give an object as a pipe that a program can read; raise where it is not what it was."""
    reader, writer = os.pipe()
    over = threading.Event()
    failed: list[BaseException] = []
    whole = sha256()

    def feed() -> None:
        try:
            for chunk in _passed(bucket.chunks(name), writer):
                whole.update(chunk)
                if over.is_set():
                    return
        except BaseException as error:  # raised in the reader's thread below
            failed.append(error)
        finally:
            _close(writer)

    thread = threading.Thread(target=feed, daemon=True)
    source = os.fdopen(reader, "rb")
    thread.start()
    try:
        yield source
    except BaseException:
        over.set()
        source.close()
        thread.join()
        if failed:  # the program only saw that it ended too early
            raise failed[0] from None
        raise
    source.close()
    thread.join()
    if failed:
        raise failed[0]
    if whole.hexdigest() != digest:
        raise Damaged(
            f"{bucket.url}/{name} is not what was sent", "It was cut or changed, and is not used.",
            "use another backup; see what stands between here and the storage",
        )  # fmt: skip


def _passed(chunks: Iterator[bytes], writer: int) -> Iterator[bytes]:
    """Write the chunks; a reader that has had enough does not end them: the digest is of all."""
    reads = True
    for chunk in chunks:
        rest = memoryview(chunk)
        try:
            while reads and rest:
                rest = rest[os.write(writer, rest) :]
        except BrokenPipeError:
            reads = False
        yield chunk


def _close(writer: int) -> None:
    try:
        os.close(writer)
    except OSError:
        pass
