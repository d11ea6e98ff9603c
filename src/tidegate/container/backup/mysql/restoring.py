"""A dump brought back: into a new database beside the old, compared, then swapped by rename.

MySQL renames tables and no databases. One RENAME TABLE moves all tables of the old database away
and those of the new one in, and is done whole or not at all; see `swapping`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from tidegate.container.backup import pgfacts, proving
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.mysql import dumping, facts, programs, swapping
from tidegate.container.backup.mysql.client import Client, Failed, literal, quoted
from tidegate.container.backup.restoring import Restored, beside
from tidegate.container.report import Report
from tidegate.errors import PolicyRefused, StepFailed
from tidegate.model.readiness import Permanent, Transient

DENIED = (1044, 1045, 1142, 1227)
Likeness = tuple[str, str]
"""A database's character set and collation: all that it has of its own."""


def bring(
    backup: Backup, client: Client, server: str, environ: Mapping[str, str], report: Report
) -> Restored:
    """Bring a proved backup back as the database that the client is logged in to."""
    name, alias = client.connection.name, client.connection.alias
    admin = client.on("")
    refuse_other(backup, server)
    like = likeness(client)
    fresh = client.on(beside(name, "restore"))
    kept = "" if like is None else beside(name, "before")
    create(admin, fresh.connection.name, like)
    try:
        began = time.monotonic()
        _filled(backup, fresh, environ)
        took = time.monotonic() - began
        report.stage("restore", alias, f"filled {fresh.connection.name}", took)
        began = time.monotonic()
        different = compare(backup, fresh, server)
        if different:
            raise proving.not_the_same(backup, different)
        report.stage("verify", alias, "rows and schema are the same", time.monotonic() - began)
        create(admin, kept or name, like)
        try:
            swapping.swap(client, fresh, client.on(kept) if kept else None, environ, report)
        except BaseException:
            _drop_empty(client.on(kept or name))
            raise
    finally:
        drop(fresh)
    said = f"{name} is the backup" + (f"; the old one is {kept}" if kept else "")
    report.stage("restore", alias, said)
    return Restored(name, kept)


def likeness(client: Client) -> Likeness | None:
    """Return what a database of its own has, or None where there is none of that name."""
    rows = client.on("").query(
        "SELECT default_character_set_name, default_collation_name "
        "FROM information_schema.schemata "
        f"WHERE schema_name = {literal(client.connection.name)}"
    )
    return (str(rows[0][0]), str(rows[0][1])) if rows else None


def create(admin: Client, name: str, like: Likeness | None) -> None:
    """Make a database; refuse with the grant that lacks."""
    words = f" CHARACTER SET {like[0]} COLLATE {like[1]}" if like else ""
    try:
        admin.query(f"CREATE DATABASE {quoted(name)}{words}")
    except Failed as error:
        if error.code not in DENIED:
            raise
        user, _, host = str(admin.query("SELECT CURRENT_USER()")[0][0]).rpartition("@")
        pattern = name.split("_restore_")[0].split("_before_")[0]
        raise PolicyRefused(
            f"{user} may not create the database {name}",
            "A restore goes into a new database beside the old one. Nothing was changed.",
            f"as root: GRANT ALL ON `{pattern}\\_%`.* TO '{user}'@'{host}'; or name an account "
            f"that may, with --into mysql://…/{pattern}",
        ) from None


def _drop_empty(client: Client) -> None:
    """Remove a database that was made for tables which did not come."""
    try:
        if not swapping.movable(client):
            drop(client)
    except (Transient, Permanent):
        pass


def drop(fresh: Client) -> None:
    """Remove the new database: what was swapped is no longer in it. It hides no other failure."""
    try:
        fresh.on("").query(f"DROP DATABASE IF EXISTS {quoted(fresh.connection.name)}")
    except (Transient, Permanent):
        pass


def refuse_other(backup: Backup, server: str) -> None:
    """Refuse a dump of the other maker's, or of a newer server."""
    theirs = str(backup.manifest["server"])
    if programs.maker_of(theirs) != programs.maker_of(server):
        raise PolicyRefused(
            f"the backup is of {programs.maker_of(theirs)} {theirs}, and the server is {server}",
            "Each reads its own dumps alone. Nothing was changed.",
            f"restore it into a server of {programs.maker_of(theirs)}'s, with --into",
        )
    if programs.numbers(server) < programs.numbers(theirs):
        raise PolicyRefused(
            f"the backup is of {theirs}, and the server is {server}",
            "What a newer server wrote may mean nothing to an older one. Nothing was changed.",
            f"restore it into a server of version {theirs} or newer, with --into",
        )


def fill(backup: Backup, target: Client, environ: Mapping[str, str]) -> None:
    """Run the dump in an empty database."""
    with dumping.plain(backup, environ) as stream:
        target.load(stream)


def _filled(backup: Backup, fresh: Client, environ: Mapping[str, str]) -> None:
    try:
        fill(backup, fresh, environ)
    except StepFailed as error:
        stands = "The old database stands as it stood before; the new one is removed again."
        meaning = "\n".join(one for one in (error.meaning, stands) if one)
        raise StepFailed(error.what, meaning, error.next) from None


def compare(backup: Backup, target: Client, server: str) -> list[str]:
    """Say in what the restored database differs from the manifest."""
    found = {**facts.shape(target), "tables": facts.counts(target)}
    same = programs.numbers(server) == programs.numbers(str(backup.manifest["server"]))
    return pgfacts.differences(backup.manifest, found, same)


def loses(backup: Backup, client: Client) -> list[str]:
    """Say of how many rows each table differs now; nothing where there is no database."""
    if likeness(client) is None:
        return []
    had, has = backup.manifest["tables"], facts.counts(client)
    out = []
    for name in sorted(had.keys() | has.keys()):
        if had.get(name) != has.get(name):
            words = [f"{one.get(name)} rows" if name in one else "no such table"
                     for one in (has, had)]  # fmt: skip
            out.append(f"{name}: {words[0]} now, {words[1]} in the backup")
    return [
        f"{client.connection.shown} goes back to {backup.manifest['created']}: what was written "
        "since is not in it.",
        *(out or ["The numbers of rows are the same; which were changed can't be told here."]),
        "The tables as they are now are kept, in another database.",
    ]
