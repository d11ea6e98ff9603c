"""PostgreSQL 13 and newer: logins, the election by advisory lock, and the fence around DDL.

The election is `pg_try_advisory_lock` on a connection of its own in autocommit: a waiter that
polls holds no transaction and no snapshot, so it never blocks `CREATE INDEX CONCURRENTLY`. The
sessions that change the schema each hold the *fence*, a second advisory lock, shared: when a
holder dies its statement may run on at the server, and whoever wins next waits until the fence is
free, and ends what keeps it (https://www.postgresql.org/docs/current/explicit-locking.html).
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate.contracts.database import OVERTAKEN, Rows, Session, TableMissing
from tidegate.databases import pgblockers, pginit, pgwire
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
from tidegate.databases.pgstates import explain
from tidegate.model.blocker import Blocker
from tidegate.model.connection import Connection, Secret
from tidegate.model.oserrors import classify_os_error
from tidegate.model.readiness import Permanent, Transient

VENDOR = "postgresql"

HEARTBEAT = 2.0  # seconds between two signs of life
IDLE_LIMIT = "10s"  # a frozen holder (SIGSTOP, paused container) loses the election after this
SILENCE = 12.0  # seconds without an answer: the server has ended our session by now
AUTOVACUUM_NOTICES = 1.6  # seconds: a little more than the default deadlock_timeout
GRACE = 3.0  # seconds that a dead holder's session gets to end by itself


class PostgreSQL:
    """One PostgreSQL database."""

    def __init__(self, connection: Connection, environ: Mapping[str, str]) -> None:
        self.connection = connection
        self._environ = environ

    def probe(self, timeout: float) -> str:
        """Log in, ask one query; return name and version."""
        try:
            session = self.session(timeout)
        except Permanent:
            if self._is_being_made(timeout):
                raise Transient(pginit.REASON) from None
            raise
        try:
            if pginit.is_temporary(session.query):
                raise Transient(pginit.REASON)
            rows = session.query("SELECT pg_is_in_recovery(), current_setting('server_version')")
            in_recovery, version = rows[0]
            return f"PostgreSQL {version}{', a standby' if in_recovery == 't' else ''}"
        finally:
            session.close()

    def _is_being_made(self, timeout: float) -> bool:
        """Return whether the database isn't there because its server is just being initialised."""
        from dataclasses import replace

        try:
            if self.params().hosts[0][0][:1] != "/":
                return False  # TCP doesn't reach the server that does this
            session = PostgreSQL(replace(self.connection, name="postgres"), self._environ).session(
                timeout
            )
            try:
                return pginit.is_temporary(session.query)
            finally:
                session.close()
        except (Transient, Permanent, pgwire.BadUrl, pgwire.Unsupported):
            return False

    def session(self, timeout: float) -> Session:
        """Log in; speaks the protocol itself, or through the app's driver where it can't."""
        return self._wire(timeout)

    def _wire(self, timeout: float, name: str = "tidegate") -> Wire | Driver:
        try:
            params = self.params()
            params.application_name = name
            return Wire(pgwire.connect(params, timeout), self.connection)
        except pgwire.Unsupported as reason:
            return Driver(self.connection, timeout, str(reason))
        except pgwire.BadUrl as error:
            raise Permanent(
                f"the address of database {self.connection.alias} can't be read: {error}",
                "It is not a form that PostgreSQL's own clients accept.",
                "correct the connection settings of this database",
            ) from None
        except pgwire.TlsRefused as error:
            raise Permanent(
                f"TLS with {self.connection.shown} failed: {error}",
                "The connection settings ask for TLS in a way that the server does not offer.",
                "set sslmode and sslrootcert to what the server has, or give the server a "
                "certificate",
            ) from None
        except pgwire.PgError as error:
            raise _at(self._explained(error), self.connection) from None
        except OSError as error:
            why = classify_os_error(error, self.connection.host or "the local socket")
            raise _at(why, self.connection) from None

    def params(self) -> pgwire.Params:
        """Return the login as the wire client takes it."""
        one = self.connection
        return pgwire.params_from_fields(
            one.host,
            one.port,
            one.user,
            one.password.reveal(),
            one.name,
            one.options,
            self._environ,
        )

    def _explained(self, error: pgwire.PgError) -> Transient | Permanent:
        return explained(error, self.connection)

    def election(self, timeout: float, held: object = None) -> PostgreSQLElection:
        """Open the election's own connection, to TIDEGATE_DIRECT_URL when a pooler is between.

        `held` is the fast path's connection, when it has won already.
        """
        won = Wire(held, self.connection) if isinstance(held, pgwire.Connection) else None
        return PostgreSQLElection(self.direct(), timeout, won)

    def direct(self) -> PostgreSQL:
        """Return this database reached without the pooler, when the environment names a way.

        `TIDEGATE_DIRECT_URL`, or `TIDEGATE_DIRECT_URL_<ALIAS>` for one of several.
        """
        alias = "".join(c if c.isalnum() else "_" for c in self.connection.alias).upper()
        url = self._environ.get(f"TIDEGATE_DIRECT_URL_{alias}") or self._environ.get(
            "TIDEGATE_DIRECT_URL", ""
        )
        if not url:
            return self
        from dataclasses import replace

        try:
            params = pgwire.params_from_url(url, self._environ)
        except (pgwire.BadUrl, pgwire.Unsupported) as error:
            raise Permanent(
                f"TIDEGATE_DIRECT_URL can't be read: {error}",
                "It names the way to the database that passes the pooler by.",
                "write it as postgresql://user:password@host:5432/name",
            ) from None
        host, port = params.hosts[0]
        known = replace(
            self.connection,
            host=host,
            port=str(port),
            user=params.user,
            password=Secret(params.password or self.connection.password.reveal()),
            name=params.dbname,
        )
        return PostgreSQL(known, self._environ)


def _at(error: Transient | Permanent, connection: Connection) -> Transient | Permanent:
    """Note which database it was that did not answer."""
    if isinstance(error, Transient):
        error.where = connection.shown
    return error


def explained(error: pgwire.PgError, connection: Connection) -> Transient | Permanent:
    """Classify what the server said, by SQLSTATE."""
    return explain(
        error.sqlstate,
        error.message,
        user=connection.user,
        dbname=connection.name,
        host=connection.host,
    )


class Wire:
    """A session over the protocol itself."""

    def __init__(self, wire: pgwire.Connection, connection: Connection) -> None:
        self._wire = wire
        self._connection = connection

    @property
    def login_pid(self) -> int:
        """The backend that answered the login: a pooler's own number when one is between."""
        return self._wire.backend_pid

    def query(self, sql: str, timeout: float | None = None) -> Rows:
        """Run SQL in autocommit."""
        try:
            return self._wire.query(sql, timeout)
        except pgwire.PgError as error:
            if error.sqlstate in ("42P01", "3F000"):
                raise TableMissing(str(error)) from None
            raise explained(error, self._connection) from error
        except OSError as error:
            raise _at(classify_os_error(error, self._connection.host), self._connection) from error

    def close(self) -> None:
        """Say goodbye."""
        self._wire.close()


class Driver:
    """A session over the app's own driver, for logins that the wire client doesn't speak."""

    login_pid = 0

    def __init__(self, connection: Connection, timeout: float, why: str) -> None:
        self._connection = connection
        self._cursor = self._connect(max(1, int(timeout)), why)

    def _connect(self, timeout: int, why: str) -> object:
        one = self._connection
        fields = {
            "host": one.host,
            "port": one.port,
            "user": one.user,
            "password": one.password.reveal(),
            "dbname": one.name,
            "connect_timeout": timeout,
            **{k: v for k, v in one.options.items() if isinstance(v, str | int)},
        }
        fields = {k: v for k, v in fields.items() if v != ""}
        driver = _driver()
        if driver is None:
            raise Permanent(
                f"no PostgreSQL driver for {one.shown} is installed",
                f"This login needs one ({why}).",
                "add psycopg to the image: pip install 'psycopg[binary]'",
            )
        try:
            opened = driver.connect(**fields)
        except driver.OperationalError as error:
            raise Transient(str(error).strip().splitlines()[0]) from None
        opened.autocommit = True
        self._opened = opened
        self._error = driver.Error
        return opened.cursor()

    def query(self, sql: str, timeout: float | None = None) -> Rows:
        """Run SQL in autocommit."""
        cursor: object = self._cursor
        try:
            cursor.execute(sql)  # type: ignore[attr-defined]
        except self._error as error:
            state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or ""
            if state in ("42P01", "3F000"):
                raise TableMissing(str(error)) from None
            raise explain(
                state,
                str(error),
                user=self._connection.user,
                dbname=self._connection.name,
                host=self._connection.host,
            ) from error
        if cursor.description is None:  # type: ignore[attr-defined]
            return []
        return [
            tuple(_text(value) for value in row)
            for row in cursor.fetchall()  # type: ignore[attr-defined]
        ]

    def close(self) -> None:
        """Say goodbye."""
        self._opened.close()


def _driver() -> Any:
    """Import the app's driver, whichever of the two it has."""
    for name in ("psycopg", "psycopg2"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)


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
        session = self._database._wire(self._timeout, own_name())
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
        session.query(set_known(DEATH_BOUNDS))
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
        """Wait until no session of an earlier holder is left; end those that outstay GRACE."""
        began = time.monotonic()
        ended = False
        while time.monotonic() < deadline:
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
            time.sleep(0.1)
        return False

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
            session = self._database._wire(2.0, "tidegate cancel")
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


def database(connection: Connection, environ: Mapping[str, str]) -> PostgreSQL:
    """Return the database that `connection` names."""
    return PostgreSQL(connection, environ)
