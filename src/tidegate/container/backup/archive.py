"""A backup on disk: one folder with the data, a manifest, and the digests of both.

It is written beside its place as `.part-…` and renamed when it is whole, so what has its name is
complete; `sha256sum -c SHA256SUMS` checks it without tidegate.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from tidegate.errors import StepFailed

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
PART = ".part-"
FORM = 1
CHUNK = 1 << 20


class Damaged(StepFailed):
    """A backup is not what was written, or can't be read."""


@dataclass(slots=True)
class Backup:
    """A whole backup: its folder and its manifest."""

    path: Path
    manifest: dict[str, Any]

    @property
    def data(self) -> Path:
        """The file with the data."""
        return self.path / str(next(iter(self.manifest["files"])))

    @property
    def bytes(self) -> int:
        """The size of the data."""
        return int(self.manifest["files"][self.data.name]["bytes"])

    @property
    def created(self) -> datetime:
        """When the snapshot was taken."""
        return datetime.fromisoformat(self.manifest["created"])


@dataclass(slots=True)
class Writer:
    """Writes one file and counts and digests what goes through."""

    file: BinaryIO
    tell: Callable[[int], None]
    count: int = 0
    digest: Any = field(default_factory=sha256)

    def write(self, chunk: bytes) -> None:
        """Write a chunk."""
        self.file.write(chunk)
        self.digest.update(chunk)
        self.count += len(chunk)
        self.tell(self.count)


@dataclass(slots=True)
class Draft:
    """A backup that is being written."""

    folder: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def file(self, name: str, tell: Callable[[int], None]) -> Iterator[Writer]:
        """Open one file of it, readable by its owner alone."""
        fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as opened:
            writer = Writer(opened, tell)
            yield writer
            opened.flush()
            os.fsync(opened.fileno())
        self.files[name] = {"bytes": writer.count, "sha256": writer.digest.hexdigest()}

    def finish(self, place: Path, manifest: dict[str, Any]) -> Backup:
        """Write manifest and digests, and give the whole its name."""
        manifest = {"form": FORM, **manifest, "files": self.files}
        text = json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"
        sums = {name: one["sha256"] for name, one in self.files.items()}
        sums[MANIFEST] = sha256(text).hexdigest()
        for name, data in ((MANIFEST, text), (SUMS, _listed(sums))):
            fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
        os.rename(self.folder, place)
        _sync_folder(place.parent)
        return Backup(place, manifest)


@contextmanager
def drafting(folder: Path) -> Iterator[Draft]:
    """Give a private folder for a draft, and leave nothing of it behind when it fails."""
    part = folder / f"{PART}{os.getpid()}-{time.monotonic_ns():x}"
    os.mkdir(part, 0o700)
    try:
        yield Draft(part)
    finally:
        if part.exists():
            shutil.rmtree(part, ignore_errors=True)


def name_for(alias: str, digest: str) -> str:
    """Return a folder's name that sorts by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{alias}-{stamp}-{digest[:6]}"


def seal_of(backup: Backup) -> str:
    """Return the one digest that stands for the whole backup: that of its SHA256SUMS."""
    return sha256((backup.path / SUMS).read_bytes()).hexdigest()


def open_backup(path: Path) -> Backup:
    """Read the manifest. Raises Damaged where there is no whole backup."""
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        form, files = manifest["form"], manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{path} is not a backup of tidegate, or is damaged",
            f"Its {MANIFEST} can't be read: {type(error).__name__}.",
            "name the folder that `tidegate backup` printed",
        ) from None
    if form != FORM or len(files) != 1:
        raise Damaged(f"{path} is a backup of another form ({form})", "", "use the tidegate "
                      "version that wrote it")  # fmt: skip
    return Backup(path, manifest)


def check_digests(path: Path) -> Backup:
    """Read every byte and compare with the digests. Raises Damaged."""
    try:
        raw = (path / SUMS).read_bytes()
        lines = raw.decode("ascii").splitlines()
        sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    except (OSError, ValueError):
        raise _damaged(path, SUMS, "can't be read") from None
    if raw != _listed(sums):
        raise _damaged(path, SUMS, "is not what was written")
    if not _matches(path / MANIFEST, sums.get(MANIFEST, "")):
        raise _damaged(path, MANIFEST, "is not what was written")
    backup = open_backup(path)
    if set(sums) != {MANIFEST, backup.data.name}:
        raise _damaged(path, SUMS, "does not name the files of the backup")
    wanted = backup.manifest["files"][backup.data.name]
    if wanted["sha256"] != sums[backup.data.name]:
        raise _damaged(path, SUMS, "does not agree with the manifest")
    try:
        size = backup.data.stat().st_size
    except OSError:
        raise _damaged(path, backup.data.name, "is missing") from None
    if size != wanted["bytes"]:
        raise _damaged(path, backup.data.name, f"has {size} bytes of {wanted['bytes']}")
    if not _matches(backup.data, wanted["sha256"]):
        raise _damaged(path, backup.data.name, "is not what was written")
    return backup


def _listed(sums: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()


def _matches(path: Path, digest: str) -> bool:
    whole = sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                whole.update(chunk)
    except OSError:
        return False
    return whole.hexdigest() == digest


def _damaged(path: Path, name: str, why: str) -> Damaged:
    return Damaged(
        f"the backup {path} is damaged: {name} {why}",
        "It was cut or changed after it was made, and is not used.",
        "use another backup, or another copy of this one",
    )


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError:
        pass  # not every file system can
    finally:
        os.close(fd)


def backups(folder: Path, alias: str) -> list[Backup]:
    """Return the whole backups of one database in a folder, oldest first."""
    found = []
    for path in sorted(folder.glob(f"{alias}-*")):
        try:
            backup = open_backup(path)
        except Damaged:
            continue
        if backup.manifest.get("alias") == alias:
            found.append(backup)
    return sorted(found, key=lambda one: one.created)


def sweep(folder: Path) -> None:
    """Remove the drafts of processes that are gone."""
    for part in folder.glob(f"{PART}*"):
        pid = part.name[len(PART) :].split("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            shutil.rmtree(part, ignore_errors=True)


def _lives(pid: int) -> bool:
    if os.name == "nt":  # signal 0 is no question there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
