"""The session that a backfill runs on: whichever framework's, in autocommit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tidegate.backfill.state import quoted
from tidegate.model.sessions import AppSession

Rows = Sequence[Sequence[object]]

LAG = "(SELECT coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 FROM pg_stat_replication)"
# Of other roles' sessions the state is only told to members of pg_read_all_stats.
ACTIVE = (
    "(SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
    "backend_type = 'client backend' AND pid <> pg_backend_pid())"
)


class BackfillRefused(RuntimeError):
    """It can't run here: the message says why, and what to change."""


class Session:
    """One connection in autocommit, of whichever framework; statements pass the framework."""

    def __init__(self, execute: Callable[[str], Any], vendor: str, raw: Any) -> None:
        self._execute = execute
        self.vendor = vendor
        self._raw = raw
        self.watches_load = False
        self._behind = 0.0
        self._active = 0

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

    @property
    def pressure(self) -> str:
        """What the server has to bear, as the columns of a SELECT."""
        return f"{LAG}, {ACTIVE if self.watches_load else '0'}"

    def take(self, row: Sequence[object]) -> None:
        """Take in what these columns say."""
        self._behind, self._active = float(str(row[0])), int(str(row[1]))

    def look(self) -> None:
        """Ask for them by themselves."""
        self.take(self.run(f"SELECT {self.pressure}")[0])

    def too_much(self, lag: float, active: int) -> str:
        """Say why the next batch should wait; an empty string where nothing is in its way."""
        if self._behind > lag:
            return f"a replica is {self._behind:.0f} s behind (max_lag {lag:g})"
        if active and self._active > active:
            return f"{self._active} sessions are at work (max_active {active})"
        return ""


@contextmanager
def session_of(connection: Any, in_transaction: bool = False) -> Iterator[Session]:
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


def _of_sqlalchemy(connection: Any) -> Session:
    vendor = connection.dialect.name
    raw = connection.connection.dbapi_connection

    def execute(sql: str) -> Any:
        # The driver takes a bare % for a parameter only where there are parameters.
        return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})

    return Session(execute, vendor, raw)


def _of_django(connection: Any, in_transaction: bool) -> Session:
    connection.ensure_connection()
    if connection.in_atomic_block and not in_transaction:
        raise BackfillRefused(
            "backfill() commits each batch, and this migration is atomic: set atomic = False on it"
        )

    def execute(sql: str) -> Any:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor

    return Session(execute, connection.vendor, connection.connection)
