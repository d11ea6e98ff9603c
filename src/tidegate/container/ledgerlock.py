"""Tables that this reads, while somebody holds a lock on them: not waited for without end, and
the one who holds it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidegate.contracts.database import Rows, Session
from tidegate.errors import ElectionNotWon
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate

PATIENCE = 2.0  # seconds for which a table may be locked
TABLES = ("tidegate_run", "tidegate_step", "tidegate_part", "django_migrations", "alembic_version")
HOLDERS = (
    "SELECT a.pid, string_agg(l.relation::regclass::text, ', ' ORDER BY l.relation::regclass::text)"
    ", coalesce(nullif(a.application_name, ''), 'unnamed'), coalesce(a.usename, 'another role') "
    "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND a.pid <> pg_backend_pid() AND "
    "l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND "
    f"l.relation IN ({', '.join(f'to_regclass({name!r})' for name in TABLES)}) "
    "GROUP BY 1, 3, 4 ORDER BY 1"
)


@contextmanager
def reading(session: Session, vendor: str) -> Iterator[None]:
    """Bound every wait for a table of the session's. Raises ElectionNotWon after PATIENCE."""
    if vendor == "postgresql":
        session.query(f"SET lock_timeout = {int(PATIENCE * 1000)}")
    try:
        yield
    except Transient as error:
        if sqlstate(error) != LOCK_REFUSED:
            raise
        raise refused(session.query) from None


def refused(query: Callable[[str], Rows]) -> ElectionNotWon:
    """Return the error for a lock that was not to be had."""
    held = holders(query)
    ends = " or ".join(f"SELECT pg_terminate_backend({pid})" for pid in held)
    return ElectionNotWon(
        "what this reads is locked" + (f": {'; '.join(held.values())}" if held else ""),
        f"It was waited for {PATIENCE:.0f} s. Nothing was changed.",
        f"let it end{f', or end it: {ends}' if ends else ''}; then start again",
    )


def holders(query: Callable[[str], Rows]) -> dict[str, str]:
    """Say who keeps others from reading the ledger or the framework's table, by process; nobody
    where that can't be asked."""
    try:
        rows = query(HOLDERS)
    except (Transient, Permanent):
        return {}
    return {str(pid): f"{tables}, by process {pid}, {name} of {user}"
            for pid, tables, name, user in rows}  # fmt: skip
