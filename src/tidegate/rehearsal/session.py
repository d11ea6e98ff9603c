"""The session that a migration runs on, seen from beside it: raw SQL on the driver's connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Rows = Sequence[Sequence[object]]


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


class SideSession:
    """A connection of our own, in the shape of the app's: for questions about what is committed."""

    vendor = "postgresql"

    def __init__(self, wire: Any) -> None:
        self.raw = wire

    def run(self, sql: str) -> Rows:
        """Run one or several statements; the rows of the last one that has any."""
        rows: Rows = self.raw.query(sql)
        return rows

    @property
    def status(self) -> str:
        """As `AppSession.status`."""
        return {"I": "idle", "E": "failed"}.get(self.raw.status, "open")

    def aside(self, work: Callable[[], None]) -> None:
        """Do `work` and take it all back."""
        self.run("BEGIN")
        try:
            work()
        finally:
            self.run("ROLLBACK")
