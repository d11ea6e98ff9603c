"""A backup on disk: one folder with the data, a manifest, and the digests of both.

It is written beside its place as `.part-…` and renamed when it is whole, so what has its name is
complete; `sha256sum -c SHA256SUMS` checks it without tidegate.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Protocol

from tidegate.errors import StepFailed, UsageProblem

MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
PART = ".part-"
FORM = 1
FOLDER_FORM = 2
"""The data is a folder of files: pg_dump's directory format."""
DATA = "data"
CHUNK = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Damaged(StepFailed):
    """A backup is not what was written, or can't be read."""


class NoBackup(UsageProblem):
    """What was named as a backup is not there."""


@dataclass(slots=True)
class Backup:
    """A whole backup: its folder and its manifest.

    `url` is where it is when it is not on this machine; `seal` its digest, known from there.
    `outside` when the files are with the tidegate that started this container. `opened` gives the
    data as a stream, compared with their digest at its end, where they are not on this machine.
    """

    path: Path
    manifest: dict[str, Any]
    url: str = ""
    seal: str = ""
    outside: bool = False
    opened: Callable[[], AbstractContextManager[IO[bytes]]] | None = None

    @property
    def shown(self) -> str:
        """Where it is, for people and for the ledger."""
        return self.url or str(self.path)

    @property
    def data(self) -> Path:
        """The file, or the folder of files, with the data."""
        if self.manifest["form"] == FOLDER_FORM:
            return self.path / DATA
        return self.path / str(next(iter(self.manifest["files"])))

    @property
    def bytes(self) -> int:
        """The size of the data."""
        return sum(int(one["bytes"]) for one in self.manifest["files"].values())

    @property
    def created(self) -> datetime:
        """When the snapshot was taken."""
        return datetime.fromisoformat(self.manifest["created"])


class Sink(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes, /) -> object:
        """Take some."""


@dataclass(slots=True)
class Writer:
    """Writes one file and counts and digests what goes through."""

    file: Sink
    tell: Callable[[int], None]
    count: int = 0
    digest: Any = field(default_factory=sha256)

    def write(self, chunk: bytes) -> None:
        """Write a chunk."""
        self.file.write(chunk)
        self.digest.update(chunk)
        self.count += len(chunk)
        self.tell(self.count)

    @property
    def about(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {"bytes": self.count, "sha256": self.digest.hexdigest()}


@dataclass(slots=True)
class Draft:
    """A backup that is being written."""

    folder: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    """What of the manifest is known before the data are written."""

    @contextmanager
    def file(self, name: str, tell: Callable[[int], None]) -> Iterator[Writer]:
        """Open one file of it, readable by its owner alone."""
        fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as opened:
            writer = Writer(opened, tell)
            yield writer
            opened.flush()
            os.fsync(opened.fileno())
        self.files[name] = writer.about

    def add_folder(self) -> None:
        """Take in the folder `data`, which another program has written."""
        for path in sorted((self.folder / DATA).iterdir()):
            path.chmod(0o600)
            self.files[f"{DATA}/{path.name}"] = {
                "bytes": path.stat().st_size,
                "sha256": digest_of(path),
            }

    def papers(
        self, manifest: Mapping[str, Any], form: int = FORM
    ) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return the whole manifest, and the two files that make a backup of what was written."""
        whole = {**manifest, "form": form, "files": self.files}
        text = json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"
        sums = {name: one["sha256"] for name, one in self.files.items()}
        sums[MANIFEST] = sha256(text).hexdigest()
        return whole, {MANIFEST: text, SUMS: _listed(sums)}

    def finish(self, place: Path, manifest: Mapping[str, Any]) -> Backup:
        """Write manifest and digests, and give the whole its name."""
        form = FOLDER_FORM if (self.folder / DATA).is_dir() else FORM
        whole, papers = self.papers(manifest, form)
        for name, data in papers.items():
            fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
        os.rename(self.folder, place)
        _sync_folder(place.parent)
        return Backup(place, whole)


class DiskFull(StepFailed):
    """A folder of ours takes no more."""

    def __init__(self, folder: Path, variable: str) -> None:
        super().__init__(
            f"the disk of {folder} is full: the backup was given up",
            "Nothing was kept of it, and nothing was changed.",
            f"make room there, or name another folder with {variable}",
        )


@contextmanager
def full_disk_said(folder: Path, variable: str) -> Iterator[None]:
    """Turn the system's word for a full disk into one for people."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull(folder, variable) from None


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


def seal_of(backup: Backup) -> str:
    """Return the one digest that stands for the whole backup: that of its SHA256SUMS."""
    return backup.seal or sha256((backup.path / SUMS).read_bytes()).hexdigest()


def open_backup(path: Path) -> Backup:
    """Read the manifest. Raises NoBackup where nothing is, Damaged where it is no whole backup."""
    if not path.exists():
        raise NoBackup(
            f"{path} does not exist", "It was named as a backup. Nothing was changed.",
            f"see what is there: ls {path.parent}",
        )  # fmt: skip
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        form, files = manifest["form"], manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(
            f"{path} is not a backup of tidegate, or is damaged",
            f"Its {MANIFEST} can't be read: {type(error).__name__}.",
            "name the folder that `tidegate backup` printed",
        ) from None
    if form not in (FORM, FOLDER_FORM) or (form == FORM and len(files) != 1):
        raise Damaged(f"{path} is a backup of another form ({form})", "", "use the tidegate "
                      "version that wrote it")  # fmt: skip
    return Backup(path, manifest)


def check_digests(path: Path) -> Backup:
    """Read every byte and compare with the digests. Raises NoBackup or Damaged."""
    if not path.exists():
        open_backup(path)
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
    files = backup.manifest["files"]
    if set(sums) != {MANIFEST, *files}:
        raise _damaged(path, SUMS, "does not name the files of the backup")
    for name, wanted in files.items():
        _check_file(path, name, wanted, sums[name])
    return backup


def _check_file(path: Path, name: str, wanted: Mapping[str, Any], digest: str) -> None:
    if wanted["sha256"] != digest:
        raise _damaged(path, SUMS, "does not agree with the manifest")
    try:
        size = (path / name).stat().st_size
    except OSError:
        raise _damaged(path, name, "is missing") from None
    if size != wanted["bytes"]:
        raise _damaged(path, name, f"has {size} bytes of {wanted['bytes']}")
    if not _matches(path / name, digest):
        raise _damaged(path, name, "is not what was written")


def _listed(sums: Mapping[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, read from the disk."""
    whole = sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def _matches(path: Path, digest: str) -> bool:
    try:
        return digest_of(path) == digest
    except OSError:
        return False


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
