"""Where backups are, and how one becomes plain files on this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tidegate.container.backup import archive, crypt, shelf, stores, streaming, volumes
from tidegate.container.backup.archive import Backup
from tidegate.errors import PolicyRefused

Store = stores.Bucket | volumes.Volume


def is_remote(where: str) -> bool:
    """Return whether it is the address of a bucket, or a volume of an engine's."""
    return where.startswith((stores.SCHEME, volumes.SCHEME))


def store(where: str, environ: Mapping[str, str]) -> Store:
    """Return the bucket or the volume at an address."""
    kind = volumes.Volume if where.startswith(volumes.SCHEME) else stores.Bucket
    return kind(where, environ)


def named(where: str, environ: Mapping[str, str]) -> Backup:
    """Return the backup at a folder, s3:// or volume: address. Raises NoBackup where none is."""
    if is_remote(where):
        url, _, name = where.rstrip("/").rpartition("/")
        return store(url, environ).open(name)
    return archive.open_backup(Path(where).absolute())


def found(folder: Path, remote: str, alias: str, environ: Mapping[str, str]) -> list[Backup]:
    """Return the whole backups of one database, where the policy puts them, oldest first."""
    if remote:
        return store(remote, environ).backups(alias)
    return shelf.backups(folder, alias)


@contextmanager
def plain(backup: Backup, environ: Mapping[str, str]) -> Iterator[Backup]:
    """Give the backup as plain files on this machine, its digests compared, while it is needed.

    It is fetched and decrypted where it has to be, and what was made for that is removed. Where
    there is no room for that, one of a bucket's stays there, and is compared while it is read.
    """
    sealed = "encrypted" in backup.manifest
    if not backup.url and not sealed:
        yield archive.check_digests(backup.path)
        return
    with ExitStack() as stack:
        folder = spool(environ)
        there = store(backup.url.rpartition("/")[0], environ) if backup.url else None
        if (
            isinstance(there, stores.Bucket)
            and streaming.can(backup)
            and not streaming.fits(backup, folder)
        ):
            yield streaming.readable(there, backup, environ)
            return
        with archive.full_disk_said(folder, "TIDEGATE_BACKUP_SPOOL"):
            if there:
                draft = stack.enter_context(archive.drafting(folder))
                place = there.fetch(backup, draft.folder)
                here = archive.check_digests(place)
            else:
                here = archive.check_digests(backup.path)
            if sealed:
                here = stack.enter_context(crypt.decrypted(here, folder, environ))
        yield here


def spool(environ: Mapping[str, str]) -> Path:
    """Return a folder of this user alone, for what is on its way."""
    given = environ.get("TIDEGATE_BACKUP_SPOOL", "")
    uid = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(given or Path(tempfile.gettempdir()) / f"tidegate-{uid}")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        about = os.lstat(folder)
    except OSError as error:
        raise PolicyRefused(
            f"{folder} can't be written: {error.strerror}",
            "A backup passes through it on its way. Nothing was changed.",
            "name another folder with TIDEGATE_BACKUP_SPOOL",
        ) from None
    if not given and os.name != "nt" and (about.st_uid != uid or about.st_mode & 0o077):
        raise PolicyRefused(
            f"{folder} can be read by others, or is theirs",
            "A backup passes through it on its way. Nothing was changed.",
            "name a folder of your own with TIDEGATE_BACKUP_SPOOL",
        )
    shelf.sweep(folder)
    return folder
