"""Is a backup good? Quick: every byte and every row of the archive. Full: restored and compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tidegate.container.backup import archive, pgdump, scratch, sqlitecopy
from tidegate.container.backup.archive import Backup, Damaged


def prove(backup: Backup, level: str, url: str, environ: Mapping[str, str]) -> None:
    """Raise Damaged unless the backup holds what the manifest says."""
    quick(backup.path, environ)
    if level == "full" and backup.manifest["vendor"] == "postgresql":
        _restored(backup, url, environ)


def quick(path: Path, environ: Mapping[str, str]) -> Backup:
    """Compare the digests, then read the whole archive back."""
    backup = archive.check_digests(path)
    if backup.manifest["vendor"] == "sqlite":
        sqlitecopy.read_back(backup)
    else:
        pgdump.read_back(backup, environ)
    return backup


def _restored(backup: Backup, url: str, environ: Mapping[str, str]) -> None:
    alias = str(backup.manifest["alias"])
    with scratch.database(str(backup.manifest["server"]), url, alias, environ) as target:
        pgdump.fill(backup, target.connection, environ, owners=False)
        different = pgdump.compare(backup, target)
    if different:
        raise not_the_same(backup, different)


def not_the_same(backup: Backup, different: list[str]) -> Damaged:
    """Return the error for a restored copy that differs from what was backed up."""
    return Damaged(
        f"the backup {backup.path} does not come back as it was",
        "\n".join(different[:8]),
        "make another one; do not migrate before one is proved",
    )
