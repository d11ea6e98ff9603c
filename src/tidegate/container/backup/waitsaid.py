"""A dump that waits for a table which somebody has locked says who that is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tidegate.container.beside import beside
from tidegate.container.report import Report
from tidegate.contracts.database import Session
from tidegate.databases import pgblockers
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import ElectionNotWon, StepFailed
from tidegate.model.blocker import Blocker
from tidegate.model.readiness import Permanent, Transient

LOCK_WAIT = 60  # seconds for which a table may be locked by somebody else
NAME = "tidegate backup"
"""The sessions of a backup have names that begin so: pg_dump's, and the one that counts."""
LOOK_EVERY = 1.5
TELL_AGAIN = 15.0
OURS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
    f"AND starts_with(application_name, '{NAME}') AND wait_event_type = 'Lock'"
)


class Watch:
    """Looks from a session of its own at those of a backup."""

    def __init__(self, database: PostgreSQL, report: Report) -> None:
        self._database, self._report = database, report
        self._seen: Sequence[Blocker] = ()
        self._since = self._told = 0.0

    def run(self, over: threading.Event) -> None:
        """Look until it is over; what can't be looked at is not told."""
        session: Session | None = None
        try:
            while not over.wait(LOOK_EVERY):
                session = session or self._database.session(10.0)
                self._look(session)
        except (Transient, Permanent):
            pass
        finally:
            if session:
                session.close()

    def _look(self, session: Session) -> None:
        pids = [int(str(pid)) for (pid,) in session.query(OURS)]
        found = pgblockers.read(session.query(pgblockers.who(pids))) if pids else []
        ours = set(pids)
        found = [one for one in found if one.pid not in ours]
        now = time.monotonic()
        if {one.key for one in found} != {one.key for one in self._seen}:
            self._since = self._told = now
            self._tell(found)
        elif found and now - self._told > TELL_AGAIN:
            self._told = now
            self._tell(found)
        self._seen = found

    def _tell(self, found: Sequence[Blocker]) -> None:
        if not found:
            return
        text = f"waits for {found[0].wanted}, {LOCK_WAIT} s at most. In the way: {_who(found)}"
        documents = [one.document() for one in found]
        alias = self._database.connection.alias
        self._report.stage("backup", alias, text, blockers=documents)

    def refusal(self) -> ElectionNotWon | None:
        """Return the error for a wait that was too long, where that is what ended the dump."""
        if not self._seen or time.monotonic() - self._since < LOCK_WAIT - 3 * LOOK_EVERY:
            return None
        ends = "; ".join(f"SELECT pg_terminate_backend({one.pid})" for one in self._seen if one.pid)
        return ElectionNotWon(
            f"{self._seen[0].wanted} was not to be had for {LOCK_WAIT} s",
            f"In the way: {_who(self._seen)}\n"
            "Nothing was kept of this backup, and nothing was changed.",
            f"let it end{f', or end it ({ends})' if ends else ''}; then start again",
        )


def _who(found: Sequence[Blocker]) -> str:
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(one.sentence for one in found[:3]) + more


@contextmanager
def waits_said(database: PostgreSQL, report: Report) -> Iterator[None]:
    """Say while this lasts who keeps a backup waiting; also where it is given up for that."""
    watch = Watch(database, report)
    with beside(watch.run):
        try:
            yield
        except StepFailed as error:
            raise watch.refusal() or error from None
