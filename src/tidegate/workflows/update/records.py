"""What an update has written down goes to the engine, and comes from there; what rehearsals have
proved does so by itself, as a rehearsal holds no update up.

The folder of `state` is a copy of this account's: another person, or the same one on another
machine, goes on with what the last update of the project has left.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tidegate.contracts.shared import Shared
from tidegate.contracts.target import Teller
from tidegate.process import run


@dataclass(frozen=True, slots=True)
class Kind:
    """One set of files. `marker` says which of the engine's the folder has: their id, and the
    digest of what they hold."""

    tag: str
    files: re.Pattern[str]
    marker: str
    lacking: str

    @property
    def archive(self) -> str:
        """The name of the file that they travel in."""
        return f"{self.tag}.tar"


UPDATES = Kind(
    "records", re.compile(r"(update|rollback|releases|configuration|digests|release-\d+)\.json"),
    "shared", "only this account knows of this update",
)  # fmt: skip
PROOFS = Kind(
    "proofs", re.compile(r"proofs\.json"), "proved", "only this account knows of this rehearsal"
)


def bring(folder: Path, shared: Shared, tell: Teller, kind: Kind = UPDATES) -> None:
    """Make the folder the same as the engine's records, where those are others than last time."""
    shared = shared.of(kind.tag)
    now = shared.kept()
    if not now or now == _marker(folder, kind)[0]:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = folder / kind.archive
    try:
        done = run(shared.fetching(str(archive)), 120, apart=True)
        if not done.ok:
            tell.warn(f"the engine's records of former updates can't be read: {_last(done.err)}")
            return
        unpacked = shared.unpacked(str(archive)).items()
        found = {name: data for name, data in unpacked if kind.files.fullmatch(name)}
    except (OSError, ValueError, KeyError, IndexError, tarfile.TarError) as error:
        tell.warn(f"the engine's records of former updates can't be read: {error}")
        return
    finally:
        archive.unlink(missing_ok=True)
    for path in _files(folder, kind):
        if path.name not in found:
            path.unlink(missing_ok=True)
    for name, data in found.items():
        write(folder / name, data)
    _mark(folder, kind, now)


def send(folder: Path, shared: Shared, tell: Teller, kind: Kind = UPDATES) -> None:
    """Give the engine what the folder holds, where that has changed."""
    shared = shared.of(kind.tag)
    packed, former = _packed(folder, kind), shared.kept()
    if _marker(folder, kind) == (former, hashlib.sha256(packed).hexdigest()):
        return
    archive = folder / kind.archive
    try:
        write(archive, packed)
        done = run(shared.keeping(str(archive)), 120, apart=True)
    finally:
        archive.unlink(missing_ok=True)
    if not done.ok:
        tell.warn(f"{kind.lacking}: {_last(done.err) or done.why}")
        return
    _mark(folder, kind, shared.kept())
    if former:
        run(shared.dropping(former), 30, apart=True)


def _files(folder: Path, kind: Kind) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if kind.files.fullmatch(one.name))
    except OSError:
        return []


def _packed(folder: Path, kind: Kind) -> bytes:
    """Return the files as an archive; the same files give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in _files(folder, kind):
            data = path.read_bytes()
            one = tarfile.TarInfo(path.name)
            one.size, one.mode = len(data), 0o600
            archive.addfile(one, io.BytesIO(data))
    return out.getvalue()


def _marker(folder: Path, kind: Kind) -> tuple[str, str]:
    try:
        raw = json.loads((folder / f"{kind.marker}.json").read_text(encoding="utf-8"))
        return str(raw["id"]), str(raw["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _mark(folder: Path, kind: Kind, id: str) -> None:
    digest = hashlib.sha256(_packed(folder, kind)).hexdigest()
    write(folder / f"{kind.marker}.json", json.dumps({"id": id, "digest": digest}).encode())


def write(path: Path, data: bytes) -> None:
    """Write whole or not at all, for this account alone: an update may be killed at any moment."""
    fresh = path.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def _last(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
