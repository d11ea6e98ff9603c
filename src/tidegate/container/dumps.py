"""Somebody else's pg_dump: it holds a lock on every table, so a migration would wait behind it.

And the app's own queries would queue behind the migration. So the migration waits first, while it
asks for nothing yet.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tidegate.contracts.database import Election
from tidegate.errors import ElectionNotWon
from tidegate.model.readiness import Permanent, Transient

if TYPE_CHECKING:
    from tidegate.container.raising import Raising

PAUSE = 0.5
RUNNING = (
    "SELECT pid, coalesce(usename::text, '') FROM pg_stat_activity WHERE datname = "
    "current_database() AND application_name IN ('pg_dump', 'pg_dumpall') ORDER BY backend_start"
)


def wait_for_dumps(raising: Raising, election: Election) -> None:
    """Return when nobody dumps this database. Raises ElectionNotWon past the deadline."""
    if raising.connection.vendor != "postgresql":
        return
    alias, told = raising.connection.alias, False
    while rows := _running(election):
        pid, user = rows[0]
        who = f"pg_dump of {user} (server process {pid})"
        if not told:
            told = True
            raising.report.stage("elect", alias, f"{who} is running; wait for its end")
        if time.monotonic() > raising.deadline:
            raise ElectionNotWon(
                f"{who} still dumps database {alias} after {raising.settings['timeout']} s",
                "It holds a lock on every table: steps would wait behind it, and the app's "
                "queries behind them. Nothing was applied.",
                "migrate when the dump is over, or give more time with --timeout",
            )
        raising.signals.event.wait(PAUSE)


def _running(election: Election) -> list[tuple[str | None, ...]]:
    try:
        return list(election.query(RUNNING))
    except (Transient, Permanent):
        return []  # what can't be seen is met with the lock timeout
