"""The line before the election, on the fast path: waiting costs no framework and no long way.

Of many replicas that start at once one has to migrate, and the others only have to see that it
has. Each stands here on the one connection that it has made: it listens, asks for the level now
and then, and between two questions holds no transaction and no snapshot. Only what is sure to end
with "the level is as sealed" is waited for; all else leaves the line for the long way.
"""

from __future__ import annotations

import os
import time

from tidegate.databases import pglocks, pgwire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tidegate.container.report import Report
    from tidegate.container.sealfile import Head

POLL = (0.4, 1.0)  # seconds between two looks, from and to; a holder that ends is heard at once
PATIENCE = 5.0  # seconds for one question
CURRENT, WON = "current", "won"


class Line:
    """One database's line. `first` is the row that the first look at the level brought.

    Each question costs a processor that the one who migrates could use: no more than are needed.
    """

    def __init__(
        self,
        wire: pgwire.Connection,
        head: Head,
        expected: list[str],
        first: tuple[str | None, ...],
        report: Report,
    ) -> None:
        self._wire = wire
        self._first = first
        self._head = head
        self._alias, self._count, self._digest, self._sql = expected
        self._report = report

    def stand(self, migrate: bool, deadline: float) -> str:
        """Wait for the level; return CURRENT, WON (the election is ours), or why not to wait.

        `migrate` is whether this process may win the election; `deadline` is monotonic.
        """
        if not self._is_behind(self._first):
            return "the recorded steps are not exactly those of the seal"
        # In one question, for behind a pooler the lock would stay on somebody else's session.
        wins = pglocks.TRY_LOCK if migrate else "false"
        own = self._wire.backend_pid
        pid, won = self._ask(
            f"SELECT pg_backend_pid(), CASE WHEN pg_backend_pid() = {own} THEN {wins} END"
        )
        if pid != str(own):
            return "a connection pooler is between"
        if won == "t":
            return WON
        self._say(self._wire.query(f"LISTEN {pglocks.CHANNEL}; {pglocks.HOLDER}", PATIENCE))
        pause, told = POLL[0], False
        while time.monotonic() < deadline:
            seen = self._level()
            if seen == (self._count, self._digest):
                # Whoever let go told so after its last word; who is silent may have died before it.
                left = migrate and not told and self._is_left_open()
                return WON if left and self._wins() else CURRENT
            if not self._is_behind(seen):
                return "the recorded steps are not exactly those of the seal"
            if migrate and self._wins():
                if seen != self._first:
                    return WON
                # Its holder found nothing to do, or died early: what there is to say, all say.
                return "whoever held the election has changed nothing"
            told = self._wire.heard(pause * (0.75 + os.urandom(1)[0] / 512))
            pause = min(pause * 1.5, POLL[1])
        return "the deadline is near"

    def _ask(self, sql: str) -> tuple[str | None, ...]:
        rows = self._wire.query(sql, PATIENCE)
        return rows[0] if rows else ()

    def _wins(self) -> bool:
        return self._ask(f"SELECT {pglocks.TRY_LOCK}") == ("t",)

    def _level(self) -> tuple[str | None, ...]:
        try:
            return self._ask(self._sql)
        except pgwire.PgError as error:
            if error.sqlstate != "42P01":  # no such table: nothing was applied yet
                raise
            return ("0", "")

    def _is_left_open(self) -> bool:
        """Whether a run stands open in the ledger: its process is about to close it, or dead."""
        try:
            return self._ask("SELECT count(*) FROM tidegate_run WHERE state = 'running'") != ("0",)
        except pgwire.PgError:
            return False

    def _is_behind(self, seen: tuple[str | None, ...]) -> bool:
        """Whether steps are lacking for sure: rows that the code does not know may hide one."""
        count = int(seen[0] or 0)
        if self._head.one("framework") == "django":
            return count < int(self._count)
        if not count:
            return True
        table = self._sql.rpartition(" FROM ")[2]
        rows = self._wire.query(f"SELECT version_num FROM {table}", PATIENCE)
        return seen[1] != self._digest and all(
            f'"id": "{row[0]}"' in self._head.body for row in rows
        )

    def _say(self, rows: list[tuple[str | None, ...]]) -> None:
        who = f"{pglocks.holder_name(rows)} migrates" if rows else "lacks steps"
        self._report.stage("elect", self._alias, f"{who}; wait")
