"""A statement waits for a lock, and others queue behind it.

A migration that waits for an `ACCESS EXCLUSIVE` lock stops every later reader of its table, for as long as whoever holds the table goes on.
The session that blocks is named by its process number: end it with `pg_terminate_backend` if it may go, or take the waiting statement back with `pg_cancel_backend`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "warning"
ERRORS = (r"canceling statement due to (lock|statement) timeout", r"still waiting for \w+Lock")
PRINTED = "canceling statement due to lock timeout"
WHEN = "now: requests that need the table hang too"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield statements that have waited for a second or more."""
    for server in live.servers:
        for seconds, blockers, text in server.waiting:
            if seconds >= 1:
                yield Problem(
                    place_in(project.services, server.service),
                    f"In {server.service} a statement has waited {seconds} s for a lock that process {blockers or 'unknown'} holds: {text.split('(')[0].strip()} ….",
                    f"look at it: SELECT * FROM pg_stat_activity WHERE pid IN ({blockers.replace(' ', ', ')})",
                )
