"""What an update has written down goes to the engine, and comes from there.

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
from pathlib import Path

from tidegate.contracts.shared import Shared
from tidegate.contracts.target import Teller
from tidegate.process import run

FILES = re.compile(r"(update|rollback|releases|configuration|digests|release-\d+)\.json")
MARKER = "shared"  # which records the folder has: their id, and the digest of what they hold
ARCHIVE = "records.tar"


def bring(folder: Path, shared: Shared, tell: Teller) -> None:
    """Make the folder the same as the engine's records, where those are others than last time."""
    now = shared.kept()
    if not now or now == _marker(folder)[0]:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    archive = folder / ARCHIVE
    try:
        done = run(shared.fetching(str(archive)), 120, apart=True)
        if not done.ok:
            tell.warn(f"the engine's records of former updates can't be read: {_last(done.err)}")
            return
        found = {n: data for n, data in shared.unpacked(str(archive)).items() if _is_ours(n)}
    except (OSError, ValueError, KeyError, IndexError, tarfile.TarError) as error:
        tell.warn(f"the engine's records of former updates can't be read: {error}")
        return
    finally:
        archive.unlink(missing_ok=True)
    for path in _files(folder):
        if path.name not in found:
            path.unlink(missing_ok=True)
    for name, data in found.items():
        write(folder / name, data)
    _mark(folder, now, _digest(folder))


def send(folder: Path, shared: Shared, tell: Teller) -> None:
    """Give the engine what the folder holds, where that has changed."""
    now, former = _digest(folder), shared.kept()
    if _marker(folder) == (former, now):
        return
    archive = folder / ARCHIVE
    try:
        write(archive, _packed(folder))
        done = run(shared.keeping(str(archive)), 120, apart=True)
    finally:
        archive.unlink(missing_ok=True)
    if not done.ok:
        tell.warn(f"only this account knows of this update: {_last(done.err) or done.why}")
        return
    _mark(folder, shared.kept(), now)
    if former:
        run(shared.dropping(former), 30, apart=True)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if _is_ours(one.name))
    except OSError:
        return []


def _is_ours(name: str) -> bool:
    return FILES.fullmatch(name) is not None


def _digest(folder: Path) -> str:
    return hashlib.sha256(_packed(folder)).hexdigest()


def _packed(folder: Path) -> bytes:
    """Return the folder as an archive; the same files give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in _files(folder):
            data = path.read_bytes()
            one = tarfile.TarInfo(path.name)
            one.size, one.mode = len(data), 0o600
            archive.addfile(one, io.BytesIO(data))
    return out.getvalue()


def _marker(folder: Path) -> tuple[str, str]:
    try:
        raw = json.loads((folder / f"{MARKER}.json").read_text(encoding="utf-8"))
        return str(raw["id"]), str(raw["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _mark(folder: Path, id: str, digest: str) -> None:
    write(folder / f"{MARKER}.json", json.dumps({"id": id, "digest": digest}).encode())


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
