"""A session at PostgreSQL: over the protocol itself, or through the app's own driver."""

from __future__ import annotations

import importlib
from typing import Any

from tidegate.contracts.database import Rows, TableMissing
from tidegate.databases import pgwire
from tidegate.databases.pgstates import explain
from tidegate.model.connection import Connection
from tidegate.model.oserrors import classify_os_error
from tidegate.model.readiness import Permanent, Transient


def at(error: Transient | Permanent, connection: Connection) -> Transient | Permanent:
    """Note which database it was that did not answer."""
    if isinstance(error, Transient):
        error.where = connection.shown
    return error


def explained(
    error: pgwire.PgError, connection: Connection, asked: str = ""
) -> Transient | Permanent:
    """Classify what the server said to a login, or to the statement `asked`, by SQLSTATE."""
    return _explained(error.sqlstate, error.message, connection, asked)


def _explained(
    state: str, message: str, connection: Connection, asked: str
) -> Transient | Permanent:
    where = connection.host or "the local socket"
    return explain(
        state,
        message,
        user=connection.user,
        dbname=connection.name,
        host=f"{where}:{connection.port}" if connection.port and connection.host else where,
        asked=asked,
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
            raise explained(error, self._connection, sql) from error
        except OSError as error:
            raise at(classify_os_error(error, self._connection.host), self._connection) from error

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
            raise _explained(state, str(error), self._connection, sql) from error
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
