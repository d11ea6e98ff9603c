"""Raise the level of one database: win the election or wait for whoever has, then apply.

The story is `raise_level`. Whatever happens, the election is released, and what the error says
about the database is read from the database.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

from tidegate.container import ledger, ledgerlock
from tidegate.container.dumps import wait_for_dumps
from tidegate.container.gate import refuse_misled
from tidegate.container.raising import Raising, patiently
from tidegate.container.stepping import book_of, written_down
from tidegate.contracts.database import Election, Session
from tidegate.errors import ElectionNotWon, PolicyRefused
from tidegate.model import words
from tidegate.model.level import Verdict
from tidegate.model.readiness import Transient
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate

POLL = (0.05, 0.4)  # seconds between two looks of a waiter: from, to; with jitter


def raise_level(raising: Raising) -> Verdict:
    """Bring the database to the level of the code, by us or by another; return where it stands."""
    return _through_restarts(raising, _raise_once)


def _raise_once(raising: Raising) -> Verdict:
    database = raising.gate.database(raising.connection)
    session = patiently(raising, lambda: _session(raising))
    election: Election | None = None
    announced = ""
    pause, began = POLL[0], time.monotonic()
    try:
        while True:
            verdict = raising.level(session)
            if not verdict.to_do:
                if election is not None and election.try_win():
                    book_of(raising, election).close_left_open()
                return verdict
            if election is None:
                election = patiently(
                    raising, lambda: database.election(raising.left, raising.taken())
                )
            if election.try_win():
                return _leading(raising, election, session, began)
            if announced != (holder := election.holder()) and holder != "nobody":
                announced = holder
                raising.report.stage("elect", raising.connection.alias, f"{holder} migrates; wait")
            if time.monotonic() > raising.deadline:
                raise ElectionNotWon(
                    f"another process still migrates database {raising.connection.alias} after "
                    f"{raising.settings['timeout']} s: {holder}",
                    f"{words.pending(len(verdict.pending))}; this process changed nothing.",
                    "look at that process, or give more time with --timeout",
                )
            raising.signals.event.wait(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.5, POLL[1])
    finally:
        if election is not None:
            election.release()
        session.close()


def wait_level(raising: Raising) -> Verdict:
    """Look again and again until another process has brought the level up."""
    return _through_restarts(raising, _wait_once)


def _wait_once(raising: Raising) -> Verdict:
    session = patiently(raising, lambda: _session(raising))
    pause = POLL[0]
    try:
        while True:
            verdict = raising.gate.level(raising.connection, session)
            if not verdict.pending:
                return verdict
            if time.monotonic() > raising.deadline:
                names = ", ".join(verdict.pending[:3])
                raise ElectionNotWon(
                    f"nobody brought database {raising.connection.alias} up to date within "
                    f"{raising.settings['timeout']} s",
                    f"{words.pending(len(verdict.pending))} ({names}); this process waits for the "
                    "schema and never migrates (--when-behind wait).",
                    "start the service that migrates, or run `tidegate migrate`",
                )
            raising.signals.event.wait(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 1.5, POLL[1])
    finally:
        session.close()


def _session(raising: Raising) -> Session:
    return raising.gate.database(raising.connection).session(raising.left)


def _through_restarts(raising: Raising, work: Callable[[Raising], Verdict]) -> Verdict:
    """Do `work` again when the server goes away under it: `patiently` then waits for it."""
    while True:
        try:
            return work(raising)
        except Transient as error:
            if time.monotonic() > raising.deadline:
                raise
            raising.report.stage("wait", raising.connection.alias, f"{error.reason}; again")
            raising.signals.event.wait(0.2)


def _leading(raising: Raising, election: Election, session: Session, began: float) -> Verdict:
    """We won: look once more, apply, write it down."""
    report, alias, loaded = raising.report, raising.connection.alias, raising.gate.loading
    if not election.settle(raising.deadline, lambda text: report.stage("elect", alias, text)):
        raise ElectionNotWon(
            f"a session of an earlier migration of {alias} does not end",
            "The server still runs what a dead process had sent, and would not end it for us.",
            "look for it in pg_stat_activity and end it as its owner: pg_terminate_backend(pid)",
        )
    verdict = raising.level(session)
    if not verdict.to_do:
        book_of(raising, election).close_left_open()
        return verdict
    refuse_misled(raising.gate, raising.connection)
    if raising.check is not None:
        raising.check(verdict, session)
    _refuse_rolled_back(raising, election, verdict)
    wait_for_dumps(raising, election)
    lost: list[str] = []

    def on_lost(reason: str) -> None:
        lost.append(reason)
        election.cancel()

    took = time.monotonic() - began - (raising.gate.loading - loaded)
    report.stage("elect", alias, f"this process migrates: {_task(verdict)}", took)
    with raising.gate.loads():
        raising.gate.project.load()
    election.start(on_lost)
    raising.signals.on_stop.append(election.cancel)
    try:
        receipt = backed_up(raising, verdict.pending)
        if receipt:  # that took its time: somebody else's dump may have begun meanwhile
            wait_for_dumps(raising, election)
        return written_down(raising, election, verdict, lost, receipt)
    finally:
        raising.signals.on_stop.remove(election.cancel)


def _task(verdict: Verdict) -> str:
    if verdict.pending:
        return f"{words.counted(len(verdict.pending), 'step')} pending"
    return f"{', '.join(verdict.unrecorded)} to be written down as applied"


def _refuse_rolled_back(raising: Raising, election: Election, verdict: Verdict) -> None:
    alias = raising.connection.alias
    digests = {step.id: step.digest for step in raising.gate.steps(alias)}
    pending = {id: digests.get(id, "") for id in verdict.pending}
    why = "" if raising.again else _held_back(raising, election, pending)
    if why:
        raise PolicyRefused(
            f"{words.pending(len(verdict.pending))} in {alias}, and not applied by a start: {why}",
            "A start of the newer release would undo the rollback. Nothing was applied.",
            "start the older image (under Compose: tidegate rollback); to apply them all the same: "
            "tidegate migrate",
        )


def _held_back(raising: Raising, election: Election, pending: Mapping[str, str]) -> str:
    """Ask the ledger; where it is locked, until the deadline."""
    alias, told = raising.connection.alias, False
    while True:
        try:
            return ledger.held_back(election.query, alias, pending)
        except Transient as error:
            if sqlstate(error) != LOCK_REFUSED:
                raise
            refused = ledgerlock.refused(election.query)
            if time.monotonic() > raising.deadline:
                raise refused from None
            if not told:
                raising.report.stage("elect", alias, f"{refused.what}; wait")
            told = True


def backed_up(raising: Raising, pending: Sequence[str]) -> str:
    """Make the backup that was asked for; return its receipt as JSON. Nothing is applied yet."""
    wanted = raising.settings["backup"]
    if wanted == "never":
        return ""
    from json import dumps

    from tidegate.container.backup.making import make, policy, risky

    gate = raising.gate
    chosen = policy(gate.root, gate.environ, {})
    if wanted == "auto" and not (chosen.named and risky(gate, raising.connection, pending)):
        return ""
    return dumps(make(gate, raising.connection, chosen, gate.environ, raising.report))


def close_left_open(raising: Raising) -> None:
    """Close what a dead process left open in the ledger, on the connection that has won."""
    election = raising.gate.database(raising.connection).election(raising.left, raising.taken())
    try:
        book_of(raising, election).close_left_open()
    finally:
        election.release()
