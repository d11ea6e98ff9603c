"""The election at PostgreSQL by advisory lock, and the fence around DDL.

The election is `pg_try_advisory_lock` on a connection of its own in autocommit: a waiter that
polls holds no transaction and no snapshot, so it never blocks `CREATE INDEX CONCURRENTLY`. The
sessions that change the schema each hold the *fence*, a second advisory lock, shared: when a
holder dies its statement may run on at the server, and whoever wins next waits until the fence is
free, and ends what keeps it (https://www.postgresql.org/docs/current/explicit-locking.html).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tidegate.contracts.database import OVERTAKEN, Rows, Session, TableMissing
from tidegate.databases import pgblockers
from tidegate.databases.pglocks import (
    DEATH_BOUNDS,
    FENCE,
    HOLDER,
    LET_GO,
    TRY_LOCK,
    holder_name,
    own_name,
    set_known,
)
from tidegate.databases.pgsession import Driver, Wire
from tidegate.model.blocker import Blocker
from tidegate.model.readiness import Permanent, Transient

if TYPE_CHECKING:
    from tidegate.databases.postgresql import PostgreSQL

HEARTBEAT = 2.0  # seconds between two signs of life

IDLE_LIMIT = "10s"  # a frozen holder (SIGSTOP, paused container) loses the election after this

LOCKED = "3s"  # the ledger may be locked by somebody; less than SILENCE, which gives the session up

SILENCE = 12.0  # seconds without an answer: the server has ended our session by now

AUTOVACUUM_NOTICES = 1.6  # seconds: a little more than the default deadlock_timeout

GRACE = 3.0  # seconds that a dead holder's session gets to end by itself


class PostgreSQLElection:
    """The right to change one PostgreSQL database's level."""

    def __init__(self, database: PostgreSQL, timeout: float, won: Wire | None = None) -> None:
        self._database = database
        self._timeout = timeout
        self._guard = threading.Lock()
        self._pids: list[int] = []
        self._cuts: list[Callable[[], None]] = []
        self._won = False
        self._silent = False  # asked without an answer, and not heard of since
        self._beat: threading.Thread | None = None
        self._ended = threading.Event()
        self._session = self._ready(won) if won else self._open()

    @property
    def redirect(self) -> Mapping[str, str]:
        """The address that sessions changing the schema have to use: the one without a pooler."""
        one = self._database.connection
        return {
            "host": one.host,
            "port": one.port,
            "user": one.user,
            "password": one.password.reveal(),
            "name": one.name,
        }

    def _open(self) -> Wire | Driver:
        session = self._database.wire(self._timeout, own_name())
        rows = session.query("SELECT pg_backend_pid()")
        if session.login_pid and rows[0][0] != str(session.login_pid):
            session.close()
            raise Permanent(
                f"{self._database.connection.shown} is a connection pooler, not the server itself",
                "An election by session lock does not hold behind it: two processes could both "
                "think that they won.",
                "set TIDEGATE_DIRECT_URL=postgresql://user:password@server:5432/name to reach "
                "the server directly; the app keeps its pooled address",
            )
        return self._ready(session)

    def _ready(self, session: Wire | Driver) -> Wire | Driver:
        session.query(set_known({**DEATH_BOUNDS, "lock_timeout": LOCKED}))
        return session

    def try_win(self) -> bool:
        """Try once; a winner then makes sure that no dead holder's session still runs."""
        try:
            rows = self._session.query(f"SELECT {TRY_LOCK}")
        except Transient:
            self._session.close()
            self._session = self._open()
            return False
        self._won = rows[0][0] == "t"
        return self._won

    def settle(self, deadline: float, on_wait: Callable[[str], None]) -> bool:
        """Wait until no session of an earlier holder is left; end those that outstay GRACE.

        However late it is, it is looked once: nobody is said to be in the way who is not.
        """
        began = time.monotonic()
        ended = False
        while True:
            rows = self._query(
                f"SELECT pg_try_advisory_lock({FENCE[0]}, {FENCE[1]}), "
                f"pg_advisory_unlock({FENCE[0]}, {FENCE[1]})"
            )
            if rows[0][0] == "t":
                return True
            if not ended and time.monotonic() - began > GRACE:
                ended = True
                on_wait("ending the session that a dead process left at the server")
                self._end_fenced()
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)

    def _end_fenced(self) -> None:
        try:
            self._query(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                f"AND classid = {FENCE[0]} AND objid = {FENCE[1]} AND granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        except Permanent:
            pass  # another role's session: the caller's deadline says what to do

    def holder(self) -> str:
        """Name the process that holds the election, by what it called itself."""
        return holder_name(list(self._query(HOLDER)))

    def query(self, sql: str) -> Rows:
        """Run SQL on the election's own session; the ledger writes through it."""
        return self._query(sql)

    def _query(self, sql: str) -> Rows:
        with self._guard:
            try:
                return self._session.query(sql, SILENCE)
            except Transient as error:
                self._silent |= isinstance(error.__cause__, TimeoutError)
                raise

    def start(self, on_lost: Callable[[str], None]) -> None:
        """Beat: an idle session of a frozen holder is ended by the server after IDLE_LIMIT."""
        self._query(set_known({"idle_session_timeout": IDLE_LIMIT}))
        self._beat = threading.Thread(target=self._live, args=(on_lost,), daemon=True)
        self._beat.start()

    def _live(self, on_lost: Callable[[str], None]) -> None:
        while not self._ended.wait(HEARTBEAT):
            asked = self._session
            try:
                self._query("SELECT 1")
            except (Transient, Permanent):
                if self._ended.is_set():
                    return
                again = self._win_back(asked)
                if again is False and not self._silent:
                    on_lost(OVERTAKEN)
                    return
                if again is False or (again is None and self._silent):
                    on_lost(f"no answer for {SILENCE:.0f} s")
                    return

    def _win_back(self, dead: Session) -> bool | None:
        """After a cut connection: win anew. None while the server can't be reached at all.

        When it refuses, no other process can win either; when it is silent, another may. The
        heartbeat and the one that applies may both find the connection cut: the second must not
        close what the first has won with.
        """
        try:
            with self._guard:
                if self._session is not dead:
                    return self._won
                self._won = False
                self._session.close()
                self._session = self._open()
                if not self.try_win():
                    return False
                self._session.query(set_known({"idle_session_timeout": IDLE_LIMIT}))
                self._silent = False
                return True
        except (Transient, Permanent):
            return None

    def hold_again(self) -> bool:
        """Return whether the election is still, or again, ours after the server went away."""
        asked = self._session
        try:
            self._query("SELECT 1")
        except (Transient, Permanent):
            return bool(self._win_back(asked))
        return self._won

    def fence(
        self, run: Callable[[str], Sequence[tuple[object, ...]]], cut: Callable[[], None]
    ) -> None:
        """Hold the fence on a session that changes the schema, and bound its death."""
        if not (self._won or self.hold_again()):
            raise Transient("the election has to be won anew: its connection was cut")
        run(f"SELECT pg_advisory_lock_shared({FENCE[0]}, {FENCE[1]})")
        self._pids.append(int(str(run("SELECT pg_backend_pid()")[0][0])))
        self._cuts.append(cut)
        run(set_known(DEATH_BOUNDS))

    def blockers(self) -> Sequence[Blocker]:
        """Ask on the election's own session, which is idle."""
        if not self._pids:
            return []
        try:
            return pgblockers.read(self._query(pgblockers.who(self._pids[-3:])))
        except (Transient, Permanent):
            return []

    def still_there(self, blockers: Sequence[Blocker]) -> bool:
        """Ask for their virtual transactions, which every role may see."""
        question = pgblockers.still(blockers)
        try:
            return not question or self._query(question)[0][0] != "0"
        except (Transient, Permanent):
            return True

    def make_way(self, blocker: Blocker) -> None:
        """Wait for the table in a way that an autovacuum notices and nobody else does."""
        try:
            self._query(pgblockers.make_way(blocker.relation, AUTOVACUUM_NOTICES))
        except (Transient, Permanent, TableMissing):
            self._query("ROLLBACK")

    def cancel(self) -> None:
        """Cancel the running statement of each fenced session, over a connection of its own.

        Where the server does not answer, the sessions are cut at this end: their statements, if
        they still run, are for whoever wins next to end.
        """
        try:
            session = self._database.wire(2.0, "tidegate cancel")
            for pid in self._pids:
                session.query(f"SELECT pg_cancel_backend({pid})")
            session.close()
        except (Transient, Permanent):
            for cut in self._cuts:
                cut()

    def release(self) -> None:
        """Let go by ending the connection: the server frees its locks."""
        self._ended.set()
        if self._won:
            self._won = False
            if self._guard.acquire(timeout=1.0):  # else the beat hangs at a server that is gone
                try:
                    self._session.query(LET_GO, 1.0)
                except (Transient, Permanent):
                    pass  # its end frees the locks, and those in line look by themselves
                finally:
                    self._guard.release()
        self._session.close()
