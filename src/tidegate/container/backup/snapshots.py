"""A copy of the database beside it, on its own server: made by the server, brought back by rename.

`CREATE DATABASE … TEMPLATE` copies files, which is many times faster than a dump, but only while no
session is on the source, and logins to it wait meanwhile. The copy is lost with the server.
https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from tidegate._version import __version__
from tidegate.container.backup import pgfacts, restoring, swapping
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.policy import Policy
from tidegate.container.backup.progress import megabytes
from tidegate.container.backup.proving import not_the_same
from tidegate.container.backup.snapshotlist import SCHEME, listed
from tidegate.container.gate import Gate
from tidegate.container.report import Report
from tidegate.contracts.database import Session
from tidegate.databases.pglocks import own_name
from tidegate.databases.pgwire import quote_identifier, quote_literal
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import PolicyRefused, StepFailed
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.words import counted

WORD = "snapshot"
BY_FILES = 64 << 20  # bytes from which copying files is faster than writing them as log
CHOICE = 15  # the major version since which the server lets the strategy be chosen
CLONES = 18  # … and since which it can have the file system copy
IN_USE = "55006"


def take(
    gate: Gate, connection: Connection, chosen: Policy, environ: Mapping[str, str],
    report: Report, end: bool,
) -> dict[str, Any]:  # fmt: skip
    """Copy the database, and return the receipt; `end` ends the sessions that are on it."""
    began = time.monotonic()
    source = PostgreSQL(connection, environ).direct()
    name = source.connection.name
    fresh = restoring.beside(name, WORD)
    with _maintenance(source, environ) as admin:
        swapping.refuse_prepared(admin, name)
        if not end:
            _refuse_sessions(admin, name)
        before = _facts(source, full=chosen.verify == "full")
        with _nobody_on(source, environ, name, end):
            how = copy(admin, name, fresh, before["bytes"])
        try:
            made = PostgreSQL(replace(source.connection, name=fresh), environ)
            _compare(before, _facts(made, full=chosen.verify == "full"))
            about = {
                "tidegate": __version__, "alias": connection.alias, "database": name,
                "created": before["created"], "xid": before["xid"], "schema": before["digest"],
                **_level(gate, connection, made),
            }  # fmt: skip
            text = json.dumps(about)
            admin.query(f"COMMENT ON DATABASE {quote_identifier(fresh)} IS {quote_literal(text)}")
        except BaseException:
            admin.query(f"DROP DATABASE IF EXISTS {quote_identifier(fresh)} WITH (FORCE)")
            raise
        took = time.monotonic() - began
        receipt = {
            "path": SCHEME + fresh, "created": before["created"], "bytes": before["bytes"],
            "digest": sha256(text.encode()).hexdigest(), "verified": chosen.verify,
            "level": about["level_digest"], "tool": f"CREATE DATABASE ({how})",
            "seconds": round(took, 3),
        }  # fmt: skip
        said = f"{megabytes(before['bytes'])} in {SCHEME}{fresh}, on the same server"
        report.stage("backup", connection.alias, said, took, receipt=receipt)
        for gone in _retire(admin, name, fresh, chosen):
            report.stage("backup", connection.alias, f"removed {gone}: older than what is kept")
    return receipt


@contextmanager
def _maintenance(source: PostgreSQL, environ: Mapping[str, str]) -> Iterator[Session]:
    admin = swapping.maintenance(source, environ)
    try:
        ((may,),) = admin.query(
            "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        if may != "t":
            raise PolicyRefused(
                "this role may not create a database",
                "A snapshot is a database beside the one it is of. Nothing was changed.",
                "let its owner do it: ALTER ROLE … CREATEDB; or: tidegate backup",
            )
        yield admin
    finally:
        admin.close()


def _refuse_sessions(admin: Session, name: str) -> None:
    rows = admin.query(
        "SELECT coalesce(nullif(application_name, ''), 'unnamed'), usename, count(*) "
        f"FROM pg_stat_activity WHERE datname = {quote_literal(name)} "
        # Of our own election, which is let go of: the server may still be ending it.
        f"AND application_name <> {quote_literal(own_name())} "
        "AND backend_type IN ('client backend', 'walsender') GROUP BY 1, 2 ORDER BY 3 DESC"
    )
    if rows:
        who = ", ".join(f"{number} {app} of {user}" for app, user, number in rows[:5])
        raise PolicyRefused(
            f"{counted(sum(int(str(row[2])) for row in rows), 'session')} on {name}: {who}",
            "The server copies a database only while nobody is on it. Nothing was changed.",
            "stop what uses it, or have its sessions ended (each fails once, and new ones wait "
            "until the copy is made): tidegate backup --snapshot --end-sessions\n"
            "or make a backup that needs neither: tidegate backup",
        )


def _facts(database: PostgreSQL, full: bool) -> dict[str, Any]:
    session = database.session(10.0)
    try:
        ((size, xid, now),) = session.query(
            "SELECT pg_database_size(current_database()), "
            f"pg_snapshot_xmax(pg_current_snapshot())::text, {pgfacts.NOW}"
        )
        session.query("SET search_path = pg_catalog")
        rows = pgfacts.counts(session.query) if full else {}
        schema = pgfacts.schema(session.query)
    finally:
        session.close()
    text = json.dumps(schema, sort_keys=True)
    bare = {name: said for name, said in schema.items() if ".tidegate_" not in name}
    return {
        "bare": sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest(),
        "tables": rows, "schema": schema, "bytes": int(str(size)),
        "xid": str(xid), "digest": sha256(text.encode()).hexdigest(),
        "created": str(now),
    }  # fmt: skip


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """The app may have written between our look and the copy; nothing may be lacking."""
    rows, schema = after["tables"], after["schema"]
    lacking = [
        f"table {name}: {had} rows, and {rows.get(name, 0)} in the copy"
        for name, had in before["tables"].items()
        if rows.get(name) != had
    ]
    lacking += [
        f"{name}: is not as it was"
        for name, had in before["schema"].items()
        if schema.get(name) != had
    ]
    if lacking:
        raise StepFailed(
            "the copy differs from the database as it was just before",
            "\n".join([*lacking[:5], "The copy was removed again; nothing else was changed."]),
            "somebody wrote meanwhile: stop what uses it, then start again",
        )


def copy(admin: Session, name: str, fresh: str, size: int) -> str:
    """Have the server copy; return how."""
    ((number, owner),) = admin.query(
        "SELECT current_setting('server_version_num')::int / 10000, pg_get_userbyid(datdba) "
        f"FROM pg_database WHERE datname = {quote_literal(name)}"
    )
    major = int(str(number))
    by_files = size >= BY_FILES
    words = f"TEMPLATE {quote_identifier(name)} OWNER {quote_identifier(str(owner))}"
    if major >= CHOICE:
        words += f" STRATEGY {'FILE_COPY' if by_files else 'WAL_LOG'}"
    sql = f"CREATE DATABASE {quote_identifier(fresh)} {words}"
    if major >= CLONES and by_files:
        try:
            admin.query("SET file_copy_method = clone")
            _create(admin, sql, name)
            return "files copied by the file system"
        except (Transient, Permanent, StepFailed):  # this file system can't
            admin.query("SET file_copy_method = copy")
    _create(admin, sql, name)
    return "files copied" if by_files or major < CHOICE else "copied through the log"


def _create(admin: Session, sql: str, name: str) -> None:
    until = time.monotonic() + swapping.PATIENCE
    while True:
        try:
            admin.query(sql)
            return
        except (Transient, Permanent) as error:
            if IN_USE in str(error) and time.monotonic() < until:
                continue  # somebody logged in: the server itself has waited five seconds
            raise StepFailed(
                f"{name} could not be copied: {error}", "Nothing was changed.",
                "see what it says (pg_stat_activity shows who is on it); or: tidegate backup",
            ) from None  # fmt: skip


@contextmanager
def _nobody_on(
    source: PostgreSQL, environ: Mapping[str, str], name: str, end: bool
) -> Iterator[None]:
    done = threading.Event()
    ending = threading.Thread(
        target=swapping.end_sessions, args=(source, environ, name, done), daemon=True
    )
    if end:
        ending.start()
    try:
        yield
    finally:
        done.set()
        if end:
            ending.join(5)


def _level(gate: Gate, connection: Connection, made: PostgreSQL) -> dict[str, Any]:
    """Read the level out of the copy itself: nobody can have changed that."""
    session = made.session(10.0)
    try:
        gate.level(connection, session)
    finally:
        session.close()
    return {
        "level": [".".join(row) for row in gate.recorded_rows(connection.alias)],
        "level_digest": gate.recorded_digest(connection.alias),
    }


def bring(
    backup: Backup, target: Connection, environ: Mapping[str, str], report: Report,
    before_swap: swapping.BeforeSwap,
) -> restoring.Restored:  # fmt: skip
    """Give a snapshot the database's name; the database before it is kept under another."""
    old = PostgreSQL(target, environ).direct()
    name, fresh = old.connection.name, str(backup.manifest["snapshot"])
    made = PostgreSQL(replace(old.connection, name=fresh), environ)
    facts = _facts(made, full=False)  # a swap that failed may have left a ledger in it
    if backup.manifest["schema"] not in (facts["digest"], facts["bare"]):
        raise not_the_same(backup, ["Somebody changed its schema since it was made."])
    report.stage("verify", target.alias, "its schema is as it was when it was made")
    began = time.monotonic()
    with _maintenance(old, environ) as admin:
        kept = restoring.beside(name, "before")
        swapping.exchange(old, admin, environ, report, (name, kept, fresh), before_swap)
    report.stage("restore", target.alias, f"{name} is the snapshot; the old one is {kept}",
                 time.monotonic() - began)  # fmt: skip
    return restoring.Restored(name, kept)


def _retire(admin: Session, name: str, newest: str, chosen: Policy) -> Sequence[str]:
    known = [one for one in listed(admin, name) if one.manifest["snapshot"] != newest]
    over = known[: max(0, len(known) - chosen.keep + 1)] if chosen.keep else []
    oldest = datetime.now(UTC) - timedelta(days=chosen.days)
    gone = [one for one in known if one in over or (chosen.days and one.created < oldest)]
    for one in gone:
        admin.query(f"DROP DATABASE {quote_identifier(str(one.manifest['snapshot']))}")
    return [one.shown for one in gone]
