"""Have a framework change the schema until it is done: refused locks and restarts are waited out.

The way up and the way down are the same here; they differ in what is attempted, and in what is
said when it fails.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.container.doorway import Doorway
from tidegate.container.lasting import said_while_it_lasts
from tidegate.container.patience import Patience
from tidegate.container.raising import Raising, is_gone, patiently
from tidegate.contracts.database import OVERTAKEN, Election
from tidegate.contracts.framework import Applying
from tidegate.errors import ElectionNotWon, Stopped, TidegateError
from tidegate.model.readiness import Transient
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate

RESTARTS = 3  # times that a server going away in the middle of a step is waited out


@dataclass(slots=True)
class Work:
    """What is attempted. Each attempt gets what it tells us with; `stands` says where it stands."""

    attempt: Callable[[], Applying]
    run: Callable[[Applying], None]
    stands: Callable[[], str]
    failure: Callable[[Applying, Exception], TidegateError]


def persist(
    raising: Raising,
    election: Election,
    work: Work,
    lost: list[str],
    patience: Patience,
    doorway: Doorway | None,
) -> None:
    """Attempt it again and again, until it is done or the deadline has passed."""
    restarts = 0
    while True:
        applying = work.attempt()
        try:
            with (
                patience.watching(),
                said_while_it_lasts(raising.report, patience.stage, applying),
            ):
                work.run(applying)
            return
        except (Stopped, TidegateError):
            raise
        except Exception as error:
            if raising.signals.stopped:
                raise Stopped(raising.signals.stopped) from error
            if OVERTAKEN in lost:  # the server went away, and another process was first
                raise Transient(_taken(raising)) from error
            if lost:
                raise ElectionNotWon(
                    f"the election for {raising.connection.alias} was lost in the middle: "
                    f"{lost[0]}",
                    work.stands(),
                    "start again; whoever won meanwhile goes on from there",
                ) from error
            state = sqlstate(error)
            whole = applying.atomic or (doorway is not None and doorway.may_repeat)
            if state == LOCK_REFUSED and whole and patience.again(applying.step):
                continue
            late = time.monotonic() > raising.deadline
            if is_gone(error, state) and restarts < RESTARTS and not late:
                restarts += 1
                _wait_for_server(raising, election, patience.stage, applying.step)
                continue
            raise work.failure(applying, error) from error


def _wait_for_server(raising: Raising, election: Election, stage: str, step: str) -> None:
    """After a restart of the server nobody holds anything: win anew before going on, or wait."""
    raising.report.stage(stage, step, "the server went away; waiting")
    database = raising.gate.database(raising.connection)
    patiently(raising, lambda: database.session(raising.left)).close()
    if not election.hold_again():
        raise Transient(_taken(raising))
    time.sleep(random.uniform(0.1, 0.2))


def _taken(raising: Raising) -> str:
    return f"another process has won the election for {raising.connection.alias}"
