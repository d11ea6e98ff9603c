"""The folder that backups lie in: their names, what is whole, and the drafts of the dead."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from tidegate.container.backup.archive import MANIFEST, PART, Backup, Damaged, NoBackup, open_backup


def name_for(alias: str, digest: str) -> str:
    """Return a folder's name that sorts by time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{alias}-{stamp}-{digest[:6]}"


def backups(folder: Path, alias: str) -> list[Backup]:
    """Return the whole backups of one database in a folder, oldest first."""
    found = []
    for path in sorted(folder.glob(f"{alias}-*")):
        try:
            backup = open_backup(path)
        except (Damaged, NoBackup):
            continue
        if backup.manifest.get("alias") == alias:
            found.append(backup)
    return sorted(found, key=lambda one: one.created)


def every(folder: Path) -> list[Backup]:
    """Return the whole backups in a folder, of whichever database."""
    aliases = {path.parent.name.rsplit("-", 2)[0] for path in folder.glob(f"*/{MANIFEST}")}
    return [one for alias in sorted(aliases) for one in backups(folder, alias)]


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
