"""What a database must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tidegate.model.blocker import Blocker
from tidegate.model.connection import Connection

Rows = Sequence[tuple[str | None, ...]]
OVERTAKEN = "another process has won it"  # why an election is lost, where waiting helps


class TableMissing(Exception):
    """The table asked for isn't there: nothing was applied yet."""


class Session(Protocol):
    """One logged-in connection in autocommit: between two queries it holds nothing."""

    def query(self, sql: str, timeout: float | None = None) -> Rows:
        """Run SQL; rows as text. Raises TableMissing, Transient or Permanent."""

    def close(self) -> None:
        """End it; never raises."""


class Election(Protocol):
    """The right to change the level of one database.

    Whoever holds it, its death frees it: the database server, or the kernel for SQLite's lock
    file, lets go when the holder's connection or process is gone.
    """

    def try_win(self) -> bool:
        """Try once, without waiting and without an open transaction left behind."""

    @property
    def redirect(self) -> Mapping[str, str]:
        """The login that sessions changing the schema must use, where it isn't the project's."""

    def settle(self, deadline: float, on_wait: Callable[[str], None]) -> bool:
        """After winning, wait until nothing of a dead holder runs on; False past the deadline."""

    def hold_again(self) -> bool:
        """Return whether the election is still, or again, ours after the server went away."""

    def holder(self) -> str:
        """Say who holds it, for people."""

    def query(self, sql: str) -> Rows:
        """Run SQL on the election's own session: the ledger's door."""

    def start(self, on_lost: Callable[[str], None]) -> None:
        """Begin to prove to the server that we live; `on_lost` is called when it is lost."""

    def fence(
        self, run: Callable[[str], Sequence[tuple[object, ...]]], cut: Callable[[], None]
    ) -> None:
        """Tie a session that will change the schema to this election; `cut` ends its statement."""

    def blockers(self) -> Sequence[Blocker]:
        """Return who is in the way of the fenced sessions right now; may be called by a thread."""

    def still_there(self, blockers: Sequence[Blocker]) -> bool:
        """Whether one of these transactions goes on, or may."""

    def make_way(self, blocker: Blocker) -> None:
        """Move maintenance of the server's own out of the way, where that stops nobody else."""

    def cancel(self) -> None:
        """End what the fenced sessions run right now; may be called from any thread."""

    def release(self) -> None:
        """Let go; never raises."""


class Database(Protocol):
    """One database server or file, reached as the connection says."""

    connection: Connection

    def probe(self, timeout: float) -> str:
        """Log in and run a query; return the server's name and version.

        Raises Transient when waiting may help and Permanent when it can't.
        """

    def session(self, timeout: float) -> Session:
        """Open a session. Raises as `probe`."""

    def election(self, timeout: float, held: object = None) -> Election:
        """Open the election for this database; `held` is a connection that has won it already."""
