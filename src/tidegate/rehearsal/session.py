"""A connection of our own, in the shape of the app's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidegate.model.sessions import AppSession, Rows

__all__ = ["AppSession", "SideSession"]


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
