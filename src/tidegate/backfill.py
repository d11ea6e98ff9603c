"""Fill a column of a large table in batches that commit, from a migration or by itself.

    from tidegate.backfill import backfill

    backfill(connection, "shop_order", set="total = price * qty", where="total IS NULL")

`connection` is Django's (`schema_editor.connection`, in a migration with `atomic = False`),
SQLAlchemy's (`op.get_bind()` inside `autocommit_block()`), or an SQLAlchemy Engine. Each batch is
a range of the primary key in a transaction of its own, together with the note of how far it got:
a process that is killed goes on at the last batch that was committed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tidegate.model.sessions import AppSession
from tidegate.model.sqlstate import sqlstate

NOTES = "tidegate_backfill"
AGAIN = ("40001", "40P01", "55P03")  # serialization, deadlock, lock timeout: another attempt helps
VACUUMS = 15  # over the whole table: dead rows are used again instead of making it grow

Rows = Sequence[Sequence[object]]
Progress = Callable[["State"], None]


@dataclass(slots=True)
class State:
    """How far it got. `total` is the server's estimate of the table's rows; 0: not known."""

    name: str
    rows: int = 0
    batches: int = 0
    last: object = None
    total: int = 0
    seconds: float = 0.0
    size: int = 0
    finished: bool = False

    @property
    def left(self) -> float | None:
        """Seconds that are left at the pace so far."""
        if not self.rows or not self.total:
            return None
        return max(0.0, (self.total - self.rows) * self.seconds / self.rows)


class BackfillRefused(RuntimeError):
    """It can't run here: the message says why, and what to change."""


def backfill(
    connection: Any,
    table: str,
    *,
    set: str,
    where: str = "",
    key: str = "id",
    name: str = "",
    target: float = 0.1,
    least: int = 100,
    most: int = 50_000,
    rest: float = 0.0,
    max_lag: float = 10.0,
    lock_timeout: float = 2.0,
    vacuum: bool = True,
    progress: Progress | None = None,
) -> State:
    """Run `UPDATE table SET set WHERE where`, a range of `key` at a time; return how it went.

    `set` and `where` are SQL. `target` is the seconds that a batch shall take: its size follows.
    After each, it rests `rest` times as long as the batch took, and while a replica is more than
    `max_lag` seconds behind. `name` names the run, for going on with it: by default the table and
    what is set.
    """
    with _session(connection) as session:
        state = State(name or _named(table, set), size=max(least, 1000))
        _prepare(session)
        _resume(session, state)
        if state.finished:
            return state
        state.total = session.estimate(table)
        tell = progress or _Line()
        kind = _OneTrip if session.vendor == "postgresql" else _Batch
        ordinary = kind(session, table, set, where, key)
        began, before, vacuumed = time.monotonic(), state.seconds, state.rows
        with session.limited(lock_timeout):
            while (bound := ordinary.bound(state)) is not None:
                took = _patiently(ordinary, state, bound, least)
                state.seconds = before + time.monotonic() - began
                state.size = int(min(most, max(least, state.size * _factor(target, took))))
                tell(state)
                if vacuum and state.total and state.rows - vacuumed > state.total / VACUUMS:
                    session.vacuum(table)
                    vacuumed = state.rows
                time.sleep(took * rest)
                session.wait_for_replicas(max_lag)
        state.finished = True
        session.run(f"UPDATE {NOTES} SET finished = 1 WHERE name = {quoted(state.name)}")
        tell(state)
        return state


def forget(connection: Any, table: str, *, set: str = "", name: str = "") -> None:
    """Forget how far a backfill got, so that it runs anew: for the way back of its migration.

    Takes the same `table`, `set` and `name`. It may stand in a transaction.
    """
    with _session(connection, in_transaction=True) as session:
        there = "sqlite_master" if session.vendor == "sqlite" else "information_schema.tables"
        column = "name" if session.vendor == "sqlite" else "table_name"
        if session.run(f"SELECT 1 FROM {there} WHERE {column} = {quoted(NOTES)}"):
            session.run(f"DELETE FROM {NOTES} WHERE name = {quoted(name or _named(table, set))}")


def _named(table: str, set: str) -> str:
    """Return what a run is called where it is given no name: the table and what is set."""
    return f"{table}: {set}"[:200]


def _factor(target: float, took: float) -> float:
    """Return by how much the next batch is larger: at most twice, at least half."""
    return min(2.0, max(0.5, target / max(took, 0.001)))


class _Batch:
    """The statements of one backfill."""

    def __init__(self, session: _Session, table: str, set: str, where: str, key: str) -> None:
        self.session = session
        self.table, self.set, self.where, self.key = table, set, where, key

    def bound(self, state: State) -> object:
        """Return the last key of the next batch; None at the end of the table."""
        rows = self.session.run(self._ahead(state))
        return rows[0][0] if rows else self._last(state)

    def _ahead(self, state: State) -> str:
        return f"SELECT {self.key} {self._order(state)} LIMIT 1 OFFSET {state.size - 1}"

    def _last(self, state: State) -> object:
        rows = self.session.run(f"SELECT {self.key} {self._order(state)} DESC LIMIT 1")
        return rows[0][0] if rows else None

    def _order(self, state: State) -> str:
        above = "" if state.last is None else f"WHERE {self.key} > {quoted(state.last)} "
        return f"FROM {self.table} {above}ORDER BY {self.key}"

    def _update(self, state: State, bound: object) -> str:
        above = "" if state.last is None else f"{self.key} > {quoted(state.last)} AND "
        also = f" AND ({self.where})" if self.where else ""
        upto = f"{self.key} <= {quoted(bound)}"
        return f"UPDATE {self.table} SET {self.set} WHERE {above}{upto}{also}"

    def _note(self, state: State, bound: object, count: str) -> str:
        return (
            f"UPDATE {NOTES} SET last = {quoted(str(bound))}, kind = {quoted(_kind(bound))}, "
            f"done = done + {count}, seconds = {state.seconds:.3f} "
            f"WHERE name = {quoted(state.name)}"
        )

    def run(self, state: State, bound: object) -> None:
        """Write one batch and how far that is, in one transaction."""
        session = self.session
        session.run("BEGIN")
        try:
            count = session.update(self._update(state, bound))
            session.run(self._note(state, bound, str(count)))
            session.run("COMMIT")
        except BaseException:
            session.roll_back()
            raise
        state.rows += count
        state.batches += 1
        state.last = bound


class _OneTrip(_Batch):
    """PostgreSQL's: a batch with its note is one trip, the next bound with the count another."""

    def bound(self, state: State) -> object:
        """Return the last key of the next batch, and take in what the last one wrote."""
        row = self.session.run(
            f"SELECT ({self._ahead(state)}), (SELECT done FROM {NOTES} "
            f"WHERE name = {quoted(state.name)}), {self.session.lag}"
        )[0]
        state.rows, self.session.behind = int(str(row[1])), float(str(row[2]))
        return row[0] if row[0] is not None else self._last(state)

    def run(self, state: State, bound: object) -> None:
        """Write one batch and how far that is: a DO block is a transaction of its own."""
        self.session.run(
            "DO $tidegate$ DECLARE written bigint; BEGIN "
            f"EXECUTE $tidegate_batch${self._update(state, bound)}$tidegate_batch$; "
            "GET DIAGNOSTICS written = ROW_COUNT; "
            f"{self._note(state, bound, 'written')}; END $tidegate$"
        )
        state.batches += 1
        state.last = bound


def _patiently(batch: _Batch, state: State, bound: object, least: int) -> float:
    """Run one batch; another attempt, smaller, where others were in the way."""
    pause = 0.1
    while True:
        began = time.monotonic()
        try:
            batch.run(state, bound)
            return time.monotonic() - began
        except Exception as error:
            if sqlstate(error) not in AGAIN:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
            state.size = max(least, state.size // 2)
            bound = batch.bound(state)


def _prepare(session: _Session) -> None:
    session.refuse_transaction()
    session.run(
        f"CREATE TABLE IF NOT EXISTS {NOTES} (name text PRIMARY KEY, last text, kind text, "
        "done bigint NOT NULL, seconds double precision NOT NULL, finished integer NOT NULL)"
    )


def _resume(session: _Session, state: State) -> None:
    """Read how far an earlier run got; a finished one is not done again."""
    rows = session.run(
        f"SELECT last, kind, done, seconds, finished FROM {NOTES} WHERE name = {quoted(state.name)}"
    )
    if not rows:
        session.run(f"INSERT INTO {NOTES} VALUES ({quoted(state.name)}, NULL, NULL, 0, 0, 0)")
        return
    last, kind, done, seconds, finished = rows[0]
    state.last = int(str(last)) if kind == "int" and last is not None else last
    state.rows, state.seconds = int(str(done)), float(str(seconds))
    state.finished = str(finished) == "1"


def _kind(value: object) -> str:
    return "int" if isinstance(value, int) else "text"


def quoted(value: object) -> str:
    """Return a key as SQL."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


class _Session:
    """One connection in autocommit, of whichever framework; statements pass the framework."""

    lag = (
        "(SELECT coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 FROM pg_stat_replication)"
    )

    def __init__(self, execute: Callable[[str], Any], vendor: str, raw: Any) -> None:
        self._execute = execute
        self.vendor = vendor
        self._raw = raw
        self.behind = 0.0

    def run(self, sql: str) -> Rows:
        """Run one statement; return its rows."""
        result = self._execute(sql)
        rows: Rows = []
        if getattr(result, "returns_rows", None) or getattr(result, "description", None):
            rows = list(result.fetchall())
        result.close()
        return rows

    def update(self, sql: str) -> int:
        """Run one UPDATE; return the number of rows."""
        result = self._execute(sql)
        count = int(result.rowcount)
        result.close()
        return max(0, count)

    def refuse_transaction(self) -> None:
        """Raise where the framework is in a transaction: no batch could be committed."""
        session = AppSession(self._raw, self.vendor)
        if session.status != "idle" or not session.autocommit:
            raise BackfillRefused(
                "backfill() commits each batch, and this connection is in a transaction: set "
                "atomic = False on the migration, or call it inside "
                "`with op.get_context().autocommit_block():`"
            )

    @contextmanager
    def limited(self, lock_timeout: float) -> Iterator[None]:
        """Bound the waiting for locks meanwhile."""
        if self.vendor != "postgresql":
            yield
            return
        before = self.run("SHOW lock_timeout")[0][0]
        self.run(f"SET lock_timeout = {int(lock_timeout * 1000)}")
        try:
            yield
        finally:
            try:
                self.run(f"SET lock_timeout = {quoted(before)}")
            except Exception:
                pass  # the session is gone; why is the error that counts

    def roll_back(self) -> None:
        """Take the batch back; its own error is the one that counts."""
        try:
            self.run("ROLLBACK")
        except Exception:
            pass

    def estimate(self, table: str) -> int:
        """Return about how many rows the table has."""
        if self.vendor == "sqlite":
            return int(str(self.run(f"SELECT count(*) FROM {table}")[0][0]))
        rows = self.run(f"SELECT reltuples::bigint FROM pg_class WHERE oid = '{table}'::regclass")
        return max(0, int(str(rows[0][0])))

    def vacuum(self, table: str) -> None:
        """Let the space of dead rows be used again; a role that may not is left alone."""
        if self.vendor == "postgresql":
            try:
                self.run(f"VACUUM (TRUNCATE OFF) {table}")  # truncating locks everybody out
            except Exception:
                pass

    def wait_for_replicas(self, most: float) -> None:
        """Wait while a replica is too far behind."""
        while self.behind > most:
            time.sleep(1.0)
            self.behind = float(str(self.run(f"SELECT {self.lag}")[0][0]))


@contextmanager
def _session(connection: Any, in_transaction: bool = False) -> Iterator[_Session]:
    """Recognise the framework by what its connection can do."""
    if (
        hasattr(connection, "connect")
        and hasattr(connection, "dialect")
        and not hasattr(connection, "exec_driver_sql")
    ):  # SQLAlchemy's Engine
        with connection.connect() as opened:
            yield _of_sqlalchemy(opened.execution_options(isolation_level="AUTOCOMMIT"))
    elif hasattr(connection, "exec_driver_sql"):
        yield _of_sqlalchemy(connection)
    elif hasattr(connection, "vendor") and hasattr(connection, "cursor"):
        yield _of_django(connection, in_transaction)
    else:
        raise BackfillRefused(
            f"backfill() can't use a {type(connection).__name__}: give it Django's connection, "
            "SQLAlchemy's, or an Engine"
        )


def _of_sqlalchemy(connection: Any) -> _Session:
    vendor = connection.dialect.name
    raw = connection.connection.dbapi_connection

    def execute(sql: str) -> Any:
        # The driver takes a bare % for a parameter only where there are parameters.
        return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})

    return _Session(execute, vendor, raw)


def _of_django(connection: Any, in_transaction: bool) -> _Session:
    connection.ensure_connection()
    if connection.in_atomic_block and not in_transaction:
        raise BackfillRefused(
            "backfill() commits each batch, and this migration is atomic: set atomic = False on it"
        )

    def execute(sql: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor

    return _Session(execute, connection.vendor, connection.connection)


class _Line:
    """Tells how far it got on standard error, at most every two seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, state: State) -> None:
        now = time.monotonic()
        if now - self._last < 2.0 and not state.finished:
            return
        self._last = now
        share = f"{min(100, state.rows * 100 // state.total)} %, " if state.total else ""
        left = "" if state.left is None or state.finished else f", about {state.left:.0f} s left"
        sys.stderr.write(f"backfill  {state.name[:60]}: {share}{state.rows:,} rows in "
                         f"{state.seconds:.0f} s{left}\n")  # fmt: skip
