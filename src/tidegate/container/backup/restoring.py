"""The story of a restore: prove, fill a new database beside the old, compare, swap by rename.

The old database is never dropped and keeps its data under a name of its own. The swap is one
transaction of the server's catalogue: whoever dies, and whenever, one complete database has the
old name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tidegate.container.backup import (
    likeness,
    pgread,
    places,
    proving,
    scratch,
    sqlitecopy,
    swapping,
)
from tidegate.container.backup.archive import Backup
from tidegate.container.report import Report
from tidegate.contracts.database import Session
from tidegate.databases.pgwire import quote_identifier, quote_literal
from tidegate.databases.postgresql import PostgreSQL
from tidegate.databases.sqlite import SQLite
from tidegate.errors import PolicyRefused, StepFailed
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

Fill = Callable[[Connection, bool], None]
"""Restores into a new database; the switch says whether owners and grants come along."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it: the name under which the old database is kept, or nothing."""

    name: str
    kept: str


def restore(
    backup: Backup,
    target: Connection,
    environ: Mapping[str, str],
    report: Report,
    before_swap: swapping.BeforeSwap = lambda fresh, kept: None,
) -> Restored:
    """Bring a backup back under the target's name; all sessions of the old one end with it."""
    began = time.monotonic()
    check_kind(backup, target)
    with places.plain(backup, environ) as here:
        proving.read_back(here, environ)
        report.stage("verify", target.alias, "the backup is whole", time.monotonic() - began)
        if target.vendor == "sqlite":
            return sqlite(here, target, report)
        old = PostgreSQL(target, environ).direct()

        def fill(fresh: Connection, exists: bool) -> None:
            pgread.fill(here, fresh, environ, owners=exists)

        return postgresql(here, old, environ, report, before_swap, fill)


def check_kind(backup: Backup, target: Connection) -> None:
    """Refuse a target of another kind of database."""
    if backup.manifest["vendor"] != {"mariadb": "mysql"}.get(target.vendor, target.vendor):
        raise PolicyRefused(
            f"the backup is of {backup.manifest['vendor']}, and {target.shown} is {target.vendor}",
            "Nothing was changed.", "name a database of the same kind with --into",
        )  # fmt: skip


def stamp() -> str:
    """Return the moment to the microsecond, as a part of names: two restores within one second
    must not meet."""
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")


def beside(name: str, word: str) -> str:
    """Name a database beside `name`, within the 63 bytes that PostgreSQL keeps of a name."""
    return f"{cut(name)}_{word}_{stamp()}"


def cut(name: str) -> str:
    """Return what of a name is kept in those of the databases beside it."""
    return name.encode()[:34].decode(errors="ignore")


def sqlite(backup: Backup, target: Connection, report: Report) -> Restored:
    """Bring a proved file back."""
    path = SQLite(target).path
    kept = f"{path}.before-{stamp()}"
    existed = os.path.exists(path)
    began = time.monotonic()
    sqlitecopy.bring_back(backup, path, kept)
    report.stage("restore", target.alias, path, time.monotonic() - began)
    return Restored(path, kept if existed else "")


def postgresql(
    backup: Backup,
    old: PostgreSQL,
    environ: Mapping[str, str],
    report: Report,
    before_swap: swapping.BeforeSwap,
    fill: Fill,
) -> Restored:
    """Bring a proved archive back; `fill` restores it into the new database."""
    name = old.connection.name
    fresh = replace(old.connection, name=beside(name, "restore"))
    admin = swapping.maintenance(old, environ)
    try:
        exists = _check(admin, backup, name)
        if exists:
            swapping.refuse_prepared(admin, name)
        else:
            roles = backup.manifest.get("roles") or ()
            scratch.refuse_lacking(admin, old.connection.shown, roles)
        _warn_of_leftovers(admin, name, report)
        admin.query(likeness.create(admin, fresh.name, name if exists else ""))
        try:
            began = time.monotonic()
            _filled(fill, fresh, exists)
            report.stage("restore", old.connection.alias, f"filled {fresh.name}",
                         time.monotonic() - began)  # fmt: skip
            began = time.monotonic()
            different = pgread.compare(backup, PostgreSQL(fresh, environ))
            if different:
                raise proving.not_the_same(backup, different)
            report.stage("verify", old.connection.alias, "rows, sequences and schema are the same",
                         time.monotonic() - began)  # fmt: skip
            if not exists:
                admin.query(swapping.rename(fresh.name, name))
                return Restored(name, "")
            kept = beside(name, "before")
            swapping.exchange(old, admin, environ, report, (name, kept, fresh.name), before_swap)
        except BaseException:
            _drop(old, environ, fresh.name)
            raise
    finally:
        admin.close()
    report.stage("restore", old.connection.alias, f"{name} is the backup; the old one is {kept}")
    return Restored(name, kept)


def _filled(fill: Fill, fresh: Connection, exists: bool) -> None:
    try:
        fill(fresh, exists)
    except StepFailed as error:
        stands = "The old database stands as it stood before; the new one is removed again."
        raise StepFailed(
            error.what, "\n".join(one for one in (error.meaning, stands) if one), error.next
        ) from None


def _check(admin: Session, backup: Backup, name: str) -> bool:
    """Refuse what can't end well; return whether the target is there already."""
    ((version, may),) = admin.query(
        "SELECT current_setting('server_version'), rolsuper OR rolcreatedb FROM pg_roles "
        "WHERE rolname = current_user"
    )
    ours, theirs = (int(str(one).split(".")[0]) for one in (version, backup.manifest["server"]))
    if ours < theirs:
        raise PolicyRefused(
            f"the backup is of PostgreSQL {theirs}, and the server is {ours}",
            "What a newer server wrote may mean nothing to an older one. Nothing was changed.",
            f"restore it into a server of version {theirs} or newer, with --into",
        )
    if may != "t":
        raise PolicyRefused(
            "this role may not create a database",
            "A restore goes into a new database beside the old one. Nothing was changed.",
            "let a role with CREATEDB do it, named with --into, or: ALTER ROLE … CREATEDB",
        )
    return bool(admin.query(f"SELECT 1 FROM pg_database WHERE datname = {quote_literal(name)}"))


def _warn_of_leftovers(admin: Session, name: str, report: Report) -> None:
    """Name what restores that were killed have left: each is a half-filled database."""
    mine = quote_literal(cut(name))
    rows = admin.query(
        f"SELECT datname FROM pg_database WHERE starts_with(datname, {mine}) "
        f"AND substr(datname, length({mine}) + 1) ~ '^_restore_[0-9]{{14,20}}$' ORDER BY 1"
    )
    if rows:
        drops = " ".join(f"DROP DATABASE {quote_identifier(str(row[0]))};" for row in rows)
        report.warn(f"left by restores that were killed; where none is at work now: {drops}")


def _drop(old: PostgreSQL, environ: Mapping[str, str], fresh: str) -> None:
    """Remove a new database that is not needed; a failure to do so hides nothing else."""
    try:
        _forget_subscriptions(PostgreSQL(replace(old.connection, name=fresh), environ))
        session = swapping.maintenance(old, environ)
        session.query(f"DROP DATABASE IF EXISTS {quote_identifier(fresh)} WITH (FORCE)")
        session.close()
    except (Transient, Permanent):
        pass


def _forget_subscriptions(made: PostgreSQL) -> None:
    """Remove those of a database that is to go, which could not go with one.

    They came back disabled. Without its name here, the slot at the other end is left in peace.
    """
    try:
        session = made.session(10.0)
        for (name,) in session.query(
            "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid "
            "WHERE datname = current_database()"
        ):
            one = quote_identifier(str(name))
            session.query(f"ALTER SUBSCRIPTION {one} DISABLE")
            session.query(f"ALTER SUBSCRIPTION {one} SET (slot_name = NONE)")
            session.query(f"DROP SUBSCRIPTION {one}")
        session.close()
    except (Transient, Permanent):
        pass  # the server says more when the database is dropped


def number_of(target: PostgreSQL, environ: Mapping[str, str]) -> str:
    """Return the number of the database that has the target's name; empty where there is none."""
    with swapping.administering(target, environ) as admin:
        name = quote_literal(target.connection.name)
        rows = admin.query(f"SELECT oid::text FROM pg_database WHERE datname = {name}")
        return str(rows[0][0]) if rows else ""


def is_empty(target: PostgreSQL) -> bool:
    """Return whether there is nothing in it: it was made for what is to be restored."""
    session = target.session(10.0)
    try:
        ((made,),) = session.query(
            "SELECT (SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relkind <> 'i' "
            "AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_')) + "
            "(SELECT count(*) FROM pg_largeobject_metadata) + "
            "(SELECT count(*) FROM pg_proc WHERE oid >= 16384)"
        )
        return str(made) == "0"
    finally:
        session.close()


def staying(target: PostgreSQL, environ: Mapping[str, str]) -> list[str]:
    """Say what is bound to the database that is there, and stays with it."""
    with swapping.administering(target, environ) as admin:
        return likeness.staying(admin, target.connection.name)


def refuse_prepared(target: PostgreSQL, environ: Mapping[str, str]) -> None:
    """Refuse a database that can't change its name."""
    with swapping.administering(target, environ) as admin:
        swapping.refuse_prepared(admin, target.connection.name)
