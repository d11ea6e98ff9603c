"""Is a backup good? Quick: every byte and every row of the archive. Full: restored and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tidegate.container.backup import pgread, places, scratch, sqlitecopy
from tidegate.container.backup.archive import Backup, Damaged


def prove(backup: Backup, level: str, url: str, environ: Mapping[str, str]) -> None:
    """Raise Damaged unless the backup holds what the manifest says."""
    with places.plain(backup, environ) as here:
        prove_plain(here, level, url, environ)


def prove_plain(here: Backup, level: str, url: str, environ: Mapping[str, str]) -> None:
    """Raise Damaged unless a plain archive holds what the manifest says."""
    for proof in proofs(level, url, str(here.manifest["vendor"]), environ):
        proof(here)


def proofs(
    level: str, url: str, vendor: str, environ: Mapping[str, str]
) -> list[Callable[[Backup], None]]:
    """Return the proofs of one level; each reads the archive from its begin to its end."""
    out: list[Callable[[Backup], None]] = [lambda here: read_back(here, environ)]
    if level == "full" and vendor != "sqlite":
        out.append(lambda here: _restored(here, url, environ))
    return out


def read_back(here: Backup, environ: Mapping[str, str]) -> None:
    """Read the whole of a plain archive, whose digests are compared already."""
    if here.manifest["vendor"] == "sqlite":
        sqlitecopy.read_back(here)
    elif here.manifest["vendor"] == "mysql":
        from tidegate.container.backup.mysql import dumping

        dumping.read_back(here, environ)
    else:
        pgread.read_back(here, environ)


def _restored(backup: Backup, url: str, environ: Mapping[str, str]) -> None:
    alias = str(backup.manifest["alias"])
    if backup.manifest["vendor"] == "mysql":
        different = _restored_mysql(backup, url, alias, environ)
        if different:
            raise not_the_same(backup, different)
        return
    with scratch.database(backup.manifest, url, alias, environ) as target:
        pgread.fill(backup, target.connection, environ, owners=False)
        different = pgread.compare(backup, target)
    if different:
        raise not_the_same(backup, different)


def _restored_mysql(backup: Backup, url: str, alias: str, environ: Mapping[str, str]) -> list[str]:
    from tidegate.container.backup.mysql import restoring
    from tidegate.container.backup.mysql import scratch as servers

    with servers.database(str(backup.manifest["server"]), url, alias, environ) as (client, server):
        restoring.fill(backup, client, environ)
        return restoring.compare(backup, client, server)


def not_the_same(backup: Backup, different: list[str]) -> Damaged:
    """Return the error for a restored copy that differs from what was backed up."""
    return Damaged(
        f"the backup {backup.shown} does not come back as it was",
        "\n".join(different[:8]),
        "make another one; do not migrate before one is proved",
    )
