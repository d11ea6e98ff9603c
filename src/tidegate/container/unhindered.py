"""Reading a schema while somebody holds one of its tables: no longer than there is time.

PostgreSQL opens the tables that a view is made of to print its text, and waits where one of them
is locked against everybody. Who waits like that stops no client, and would still wait for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidegate.contracts.database import Session
from tidegate.errors import ElectionNotWon
from tidegate.model.readiness import Permanent, Transient

BOUND = "SET LOCAL lock_timeout = '1s'"
NOT_TO_BE_HAD = "55P03"
_WHO = (
    "SELECT DISTINCT l.relation::regclass::text, l.pid, coalesce(nullif(a.application_name, ''), "
    "a.usename::text, 'somebody'), coalesce(a.state, '') FROM pg_locks l "
    "LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted "
    "AND l.relation >= 16384 AND l.pid <> pg_backend_pid() AND l.database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 3"
)


@contextmanager
def bounded(session: Session) -> Iterator[None]:
    """Give what is read now a bound for its waiting; Transient says that it was reached."""
    session.query(f"BEGIN READ ONLY; {BOUND}")
    try:
        yield
    finally:
        session.query("ROLLBACK")


def patiently(
    session: Session, deadline: float, alias: str, tell: Callable[[str], None],
    work: Callable[[], None],
) -> None:  # fmt: skip
    """Do `work` again while a lock is in its way. Raises ElectionNotWon at the deadline."""
    told = False
    while True:
        try:
            return work()
        except Transient as error:
            if NOT_TO_BE_HAD not in error.reason:
                raise
        who = _who(session)
        if time.monotonic() > deadline:
            raise ElectionNotWon(
                f"the schema of {alias} can't be read: a table of it is locked{who}",
                "The plan has to be compared with it first. Nothing was changed.",
                "end that transaction (pg_stat_activity), or give more time with --timeout",
            )
        if not told:
            tell(f"the schema can't be read yet: a table of it is locked{who}")
        told = True


def _who(session: Session) -> str:
    try:
        rows = session.query(_WHO)
    except (Transient, Permanent):
        return ""
    shown = "; ".join(f"{table} by server process {pid} ({name}{', ' if state else ''}{state})"
                      for table, pid, name, state in rows)  # fmt: skip
    return f": {shown}" if shown else ""
