"""A driver's session seen from beside its framework: asked, and ended from another thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

Rows = Sequence[Sequence[object]]


def cutter(session: Any) -> Callable[[], None]:
    """Return a function that makes the running statement of `session` fail at once.

    SQLite's statement is interrupted (https://sqlite.org/c3ref/interrupt.html). A server's
    session is cut at its socket, for when the server doesn't answer any more: no driver can be
    interrupted while it waits in C. `session` may be in the coat that SQLAlchemy gives to async
    drivers. What is closed by then is left alone.
    """

    def cut() -> None:
        try:
            plain = getattr(session, "driver_connection", session)
            inner = getattr(plain, "_conn", plain)  # of aiosqlite
            if hasattr(inner, "interrupt"):
                inner.interrupt()
            else:
                _shut(plain)
        except Exception:
            return

    return cut


def _shut(plain: Any) -> None:
    if hasattr(plain, "fileno"):  # psycopg, psycopg2
        number = plain.fileno()
    else:  # asyncpg
        number = plain._transport.get_extra_info("socket").fileno()
    with socket.fromfd(number, socket.AF_INET, socket.SOCK_STREAM) as copy:
        copy.shutdown(socket.SHUT_RDWR)


class AppSession:
    """The driver's own connection that the framework uses right now.

    Nothing that is asked here passes the framework, so nothing of it is traced.
    """

    def __init__(self, raw: Any, vendor: str) -> None:
        self.raw = raw
        self.vendor = vendor

    def run(self, sql: str) -> Rows:
        """Run SQL on this very session and return its rows."""
        cursor = self.raw.cursor()
        try:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    @property
    def status(self) -> str:
        """`idle`, `open` (in a transaction) or `failed` (in one that can only be rolled back)."""
        if self.vendor == "sqlite":
            return "open" if getattr(self.raw, "in_transaction", False) else "idle"
        info = getattr(self.raw, "info", None)
        number = getattr(info, "transaction_status", None)
        if number is not None:  # psycopg and psycopg2 both have libpq's numbers
            return {0: "idle", 3: "failed"}.get(int(number), "open")
        inner = getattr(self.raw, "_connection", None)  # SQLAlchemy's coat around asyncpg
        is_open = getattr(inner, "is_in_transaction", None)
        if callable(is_open):
            return "open" if is_open() or getattr(self.raw, "_started", False) else "idle"
        return "open"

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        value = getattr(self.raw, "autocommit", None)
        if self.vendor == "sqlite":
            return getattr(self.raw, "isolation_level", "") is None
        if value is not None and not callable(value):
            return bool(value)
        return getattr(self.raw, "isolation_level", "") == "autocommit"

    def aside(self, work: Callable[[], None]) -> None:
        """Do `work` and take it all back, leaving the session as it was found."""
        if self.status == "failed":
            return
        if self.status == "open":
            self.run("SAVEPOINT tidegate_aside")
            try:
                work()
            finally:
                self.run("ROLLBACK TO SAVEPOINT tidegate_aside")
                self.run("RELEASE SAVEPOINT tidegate_aside")
            return
        if self.autocommit:
            self.run("BEGIN")
            try:
                work()
            finally:
                self.run("ROLLBACK")
            return
        try:
            work()  # the driver opens a transaction by itself
        finally:
            self.raw.rollback()
