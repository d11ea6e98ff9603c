"""Two databases of a server change names, in one transaction, whoever is on the old one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from tidegate.container.backup import likeness
from tidegate.container.report import Report
from tidegate.contracts.database import Session
from tidegate.databases.pgwire import quote_identifier, quote_literal
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import PolicyRefused, StepFailed
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.words import counted

PATIENCE = 30.0  # seconds until the last session of the old database has to be gone
POOLER = "08P01"  # what PgBouncer answers where PostgreSQL would have other codes
BeforeSwap = Callable[[str, str], None]
"""What is done last with the new database, of the first name; the old one will have the second."""


def maintenance(old: PostgreSQL, environ: Mapping[str, str]) -> Session:
    """Log in to a database that is not the one to be renamed."""
    failure: Exception | None = None
    for name in ("postgres", "template1"):
        if name == old.connection.name:
            continue
        try:
            return PostgreSQL(replace(old.connection, name=name), environ).session(10.0)
        except Permanent as error:
            failure = error
        except Transient as error:
            if POOLER not in str(error):
                raise
            failure = error
    assert failure
    if POOLER in str(failure):
        raise PolicyRefused(
            f"{old.connection.shown} is reached through a pooler, which leads to no other database",
            "A database is renamed from another one of its server. Nothing was changed.",
            "name the way past the pooler: TIDEGATE_DIRECT_URL=postgresql://user:password@host:5432"
            "/name",
        )
    raise failure


@contextmanager
def administering(one: PostgreSQL, environ: Mapping[str, str]) -> Iterator[Session]:
    """Give a session beside the database, for a question."""
    admin = maintenance(one, environ)
    try:
        yield admin
    finally:
        admin.close()


def refuse_prepared(admin: Session, name: str) -> None:
    """A prepared transaction keeps a database from being renamed, and belongs to no session."""
    rows = admin.query(
        f"SELECT gid FROM pg_prepared_xacts WHERE database = {quote_literal(name)} ORDER BY 1"
    )
    if rows:
        names = ", ".join(str(row[0]) for row in rows[:5])
        raise PolicyRefused(
            f"{name} has {counted(len(rows), 'prepared transaction')}: {names}",
            "With one a database can neither change its name nor be copied by the server. Nothing "
            "was changed.",
            "in that database: COMMIT PREPARED '…' or ROLLBACK PREPARED '…', then start again",
        )


def exchange(
    old: PostgreSQL, admin: Session, environ: Mapping[str, str], report: Report,
    names: tuple[str, str, str], before_swap: BeforeSwap,
) -> None:  # fmt: skip
    """Make the new database as the old one is, and have them change names."""
    name, kept, fresh = names
    refused = likeness.dress(admin, name, fresh)
    stays = likeness.staying(admin, name)
    comment = likeness.comment(admin, name, fresh)
    before_swap(fresh, kept)
    swap(old, admin, environ, names, comment)
    for sql in refused:
        report.warn(f"this role may not do what the old database has; let its owner: {sql}")
    for text in stays:
        report.warn(text)


def rename(before: str, after: str) -> str:
    """Return the SQL that gives a database another name."""
    return f"ALTER DATABASE {quote_identifier(before)} RENAME TO {quote_identifier(after)}"


def swap(
    old: PostgreSQL, admin: Session, environ: Mapping[str, str], names: tuple[str, str, str],
    also: str,
) -> None:  # fmt: skip
    """Rename both in one transaction, while another session ends what holds the old one.

    RENAME locks the database against new logins and waits some seconds for the old ones to go
    (https://www.postgresql.org/docs/current/sql-alterdatabase.html).
    """
    name, kept, fresh = names
    done = threading.Event()
    thread = threading.Thread(target=end_sessions, args=(old, environ, name, done), daemon=True)
    thread.start()
    until = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                admin.query(f"{also}; {rename(name, kept)}; {rename(fresh, name)}")
                return
            except (Transient, Permanent) as error:
                if time.monotonic() > until or "55006" not in str(error):
                    stands = "It stands as it stood before, and the new database is not used."
                    raise StepFailed(
                        f"{name} could not be renamed: {error}",
                        "\n".join([*holders(admin, name), stands]),
                        "end what holds it (pg_stat_activity, pg_prepared_xacts), then start again",
                    ) from None
    finally:
        done.set()
        thread.join(5)


def holders(admin: Session, name: str) -> list[str]:
    """Say who is on a database."""
    rows = admin.query(
        "SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'), coalesce(usename, '') "
        f"FROM pg_stat_activity WHERE datname = {quote_literal(name)} ORDER BY 1 LIMIT 5"
    )
    return [f"On it: process {pid}, {app} of {user}" for pid, app, user in rows]


def end_sessions(
    old: PostgreSQL, environ: Mapping[str, str], name: str, done: threading.Event
) -> None:
    """End whoever is on a database, again and again, until `done` is set.

    One after the other: one that this role may not end (a worker of the server's, which the
    rename itself sends away) must not keep the others.
    """
    try:
        session = maintenance(old, environ)
    except (Transient, Permanent):
        return
    on_it = f"SELECT pid FROM pg_stat_activity WHERE datname = {quote_literal(name)}"
    while not done.wait(0.05):
        try:
            pids = [str(pid) for (pid,) in session.query(on_it)]
        except (Transient, Permanent):
            break
        for pid in pids:
            try:
                session.query(f"SELECT pg_terminate_backend({pid})")
            except (Transient, Permanent):
                continue
    session.close()
