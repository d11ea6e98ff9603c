"""Hold the election for something other than raising the level: a backup, a way back."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.container.applying import POLL
from tidegate.container.raising import Raising, patiently
from tidegate.contracts.database import Election
from tidegate.errors import ElectionNotWon


@contextmanager
def elected(raising: Raising, lost: list[str] | None = None) -> Iterator[Election]:
    """Win the election before the deadline and let it go at the end; `lost` gets why it was."""
    report, connection = raising.report, raising.connection
    database = raising.gate.database(connection)
    election = patiently(raising, lambda: database.election(raising.left))
    reasons = [] if lost is None else lost

    def on_lost(reason: str) -> None:
        reasons.append(reason)
        election.cancel()

    try:
        _win(raising, election)
        if not election.settle(raising.deadline, lambda text: report.stage("elect", "", text)):
            raise ElectionNotWon(
                f"a session of an earlier migration of {connection.alias} does not end",
                "The server still runs what a dead process had sent, and would not end it for us.",
                "end it as its owner: pg_terminate_backend(pid), see pg_stat_activity",
            )
        election.start(on_lost)
        raising.signals.on_stop.append(election.cancel)
        try:
            yield election
        finally:
            raising.signals.on_stop.remove(election.cancel)
    finally:
        election.release()


def _win(raising: Raising, election: Election) -> None:
    alias, announced, pause = raising.connection.alias, "", POLL[0]
    while not election.try_win():
        if announced != (holder := election.holder()) and holder != "nobody":
            announced = holder
            raising.report.stage("elect", alias, f"{holder} holds the election; wait")
        if time.monotonic() > raising.deadline:
            raise ElectionNotWon(
                f"another process still holds the election for {alias} after "
                f"{raising.settings['timeout']} s: {holder}",
                "It migrates, or makes a backup. This process changed nothing.",
                "look at that process, or give more time with --timeout",
            )
        raising.signals.event.wait(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 1.5, POLL[1])
