"""Raise the level of one database: win the election or wait for whoever has, then apply.

The story is `raise_level`. Whatever happens, the election is released, and what the error says
about the database is read from the database.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.container import ledger
from tidegate.container.dumps import wait_for_dumps
from tidegate.container.gate import Gate
from tidegate.container.report import Report, masked
from tidegate.container.signals import Signals
from tidegate.contracts.database import Election, Session
from tidegate.contracts.framework import Applying
from tidegate.errors import (
    ElectionNotWon,
    PolicyRefused,
    StepFailed,
    Stopped,
    TidegateError,
)
from tidegate.model import words
from tidegate.model.connection import Connection
from tidegate.model.level import Verdict
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqltext import without_values
from tidegate.model.step import Step

POLL = (0.05, 0.4)  # seconds between two looks of a waiter: from, to; with jitter
LOCK_REFUSED = "55P03"
EXISTS = ("42P07", "42701", "42710")  # duplicate table (or index), column, object
EXISTS_SQLITE = re.compile(r"(table|index|view) \S+ already exists|duplicate column name")
SERVER_GONE = ("57P01", "57P02", "57P03", "08000", "08003", "08006")
OWN_LOCKS = (  # the strong ones on the user's own relations
    "SELECT DISTINCT mode, relation::regclass::text FROM pg_locks WHERE locktype = 'relation' "
    "AND pid = pg_backend_pid() AND granted AND relation >= 16384 AND mode IN "
    "('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', "
    "'AccessExclusiveLock') AND relation IN (SELECT oid FROM pg_class WHERE relkind IN "
    "('r', 'p', 'm', 'f'))"
)
RESTARTS = 3  # times that a server going away in the middle of a step is waited out


@dataclass(slots=True)
class Raising:
    """What one raise needs to know."""

    gate: Gate
    connection: Connection
    settings: Mapping[str, str]
    deadline: float
    report: Report
    signals: Signals
    target: str = ""
    held: object = None  # a connection on which the election is won already
    plan: str = ""  # the fingerprint of the plan that is applied, for the ledger
    check: Callable[[Verdict, Session], None] | None = None  # asked by the winner, before all
    again: bool = False
    """Whether steps that were rolled back may be applied again: a person asked for it."""
    command: str = ""  # what is started afterwards, if anything is

    @property
    def left(self) -> float:
        """Seconds that one attempt to connect may take."""
        return max(0.5, min(5.0, self.deadline - time.monotonic()))

    def taken(self) -> object:
        """Return the connection that has won, once: after a restart of the server it is dead."""
        held, self.held = self.held, None
        return held


def raise_level(raising: Raising) -> Verdict:
    """Bring the database to the level of the code, by us or by another; return where it stands."""
    return _through_restarts(raising, _raise_once)


def _raise_once(raising: Raising) -> Verdict:
    database = raising.gate.database(raising.connection)
    session = patiently(raising, lambda: _session(raising))
    election: Election | None = None
    announced = ""
    pause = POLL[0]
    try:
        while True:
            verdict = raising.gate.level(raising.connection, session)
            if not verdict.to_do:
                if election is not None and election.try_win():
                    book_of(raising, election).close_left_open()
                return verdict
            if election is None:
                election = patiently(
                    raising, lambda: database.election(raising.left, raising.taken())
                )
            if election.try_win():
                return _leading(raising, election, session)
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


def _leading(raising: Raising, election: Election, session: Session) -> Verdict:
    """We won: look once more, apply, write it down."""
    report, alias = raising.report, raising.connection.alias
    if not election.settle(raising.deadline, lambda text: report.stage("elect", alias, text)):
        raise ElectionNotWon(
            f"a session of an earlier migration of {alias} does not end",
            "The server still runs what a dead process had sent, and would not end it for us.",
            "look for it in pg_stat_activity and end it as its owner: pg_terminate_backend(pid)",
        )
    verdict = raising.gate.level(raising.connection, session)
    if not verdict.to_do:
        book_of(raising, election).close_left_open()
        return verdict
    if raising.check is not None:
        raising.check(verdict, session)
    _refuse_rolled_back(raising, election, verdict)
    wait_for_dumps(raising, election)
    lost: list[str] = []

    def on_lost(reason: str) -> None:
        lost.append(reason)
        election.cancel()

    report.stage("elect", alias, f"this process migrates: {_task(verdict)}")
    election.start(on_lost)
    raising.signals.on_stop.append(election.cancel)
    try:
        receipt = backed_up(raising, verdict.pending)
        return _written_down(raising, election, verdict, lost, receipt)
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
    why = "" if raising.again else ledger.held_back(election.query, alias, pending)
    if why:
        raise PolicyRefused(
            f"{len(verdict.pending)} steps of {alias} are not applied by a start: {why}",
            "A start of the newer release would undo the rollback. Nothing was applied.",
            "start the older image; to apply them all the same: tidegate migrate",
        )


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


def book_of(raising: Raising, election: Election) -> ledger.Ledger:
    """Return the ledger of this database, written through the election's own session."""
    gate, connection = raising.gate, raising.connection
    return ledger.Ledger(
        election.query, connection.vendor, gate.project.framework, connection.alias, gate.environ
    )


def close_left_open(raising: Raising) -> None:
    """Close what a dead process left open in the ledger, on the connection that has won."""
    election = raising.gate.database(raising.connection).election(raising.left, raising.taken())
    try:
        book_of(raising, election).close_left_open()
    finally:
        election.release()


def _written_down(
    raising: Raising, election: Election, before: Verdict, lost: list[str], receipt: str = ""
) -> Verdict:
    """Apply under a run in the ledger; the run's steps are those that the database has after."""
    gate, connection = raising.gate, raising.connection
    book = book_of(raising, election)
    records: dict[str, ledger.Record] = {}
    book.begin(
        " ".join(before.pending)[:2000],
        fingerprint=raising.plan or gate.fingerprint(connection.alias, before.pending),
        level_before=gate.recorded_digest(connection.alias),
        backup=receipt,
    )
    began = time.monotonic()
    state, message = "failed", ""
    try:
        _apply(raising, election, records, before, lost)
        state = "done"
    except Stopped as stop:
        message = f"stopped by signal {stop.signum}"
        raise
    except TidegateError as error:
        message = masked(error.what, raising.report.secrets)
        raise
    finally:
        close_book(raising, book, (state, message), began, records)
    after = _standing(raising)
    if after.pending and not raising.target:
        raise StepFailed(
            f"{connection.alias} still lacks {words.counted(len(after.pending), 'step')} after the "
            "framework said that it was done",
            f"Pending: {', '.join(after.pending[:5])}.",
            "see `tidegate status`",
        )
    return after


def close_book(
    raising: Raising,
    book: ledger.Ledger,
    outcome: tuple[str, str],
    began: float,
    records: Mapping[str, ledger.Record],
    undone: bool = False,
) -> None:
    """Write the end of the run; what can't be written must not hide why it ended.

    Only steps that the database really has count, or, with `undone`, that it no longer has.
    """
    try:
        applied = _standing(raising).applied
    except (Transient, Permanent):
        return  # the server is gone: the next holder closes this run as abandoned
    kept = [record for id, record in records.items() if (id in applied) is not undone]
    after = raising.gate.recorded_digest(raising.connection.alias)
    book.end(outcome[0], time.monotonic() - began, kept, outcome[1], after)
    if book.off:
        raising.report.warn(f"the ledger was not written: {book.off}")


def _apply(
    raising: Raising,
    election: Election,
    records: dict[str, ledger.Record],
    before: Verdict,
    lost: list[str],
) -> None:
    """Apply; ask again for a refused lock, and go on after a server that went away."""
    restarts = 0
    pause = 0.2
    retries: dict[str, int] = {}
    while True:
        applying = _listening(raising, election, (records, retries), len(before.pending))
        try:
            raising.gate.project.apply(raising.connection, raising.target, applying)
            return
        except Stopped:
            raise
        except TidegateError:
            raise
        except Exception as error:
            if raising.signals.stopped:
                raise Stopped(raising.signals.stopped) from error
            if lost:
                raise ElectionNotWon(
                    f"the election for {raising.connection.alias} was lost in the middle: "
                    f"{lost[0]}",
                    _stands(raising, before),
                    "start again; whoever won meanwhile goes on from there",
                ) from error
            state = sqlstate(error)
            late = time.monotonic() + pause > raising.deadline
            if state == LOCK_REFUSED and applying.atomic and not late:
                retries[applying.step] = retries.get(applying.step, 0) + 1
                raising.report.stage(
                    "migrate", applying.step, "a lock was not free in time; released, asking again"
                )
            elif _is_gone(error, state) and restarts < RESTARTS and not late:
                restarts += 1
                raising.report.stage("migrate", applying.step, "the server went away; waiting")
                patiently(raising, lambda: _session(raising)).close()
                _hold_again(raising, election)
            else:
                raise _failure(raising, applying, error, state, before) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 2.0)


def _hold_again(raising: Raising, election: Election) -> None:
    """After a restart of the server nobody holds anything: win anew before going on, or wait."""
    if not election.hold_again():
        raise Transient(f"another process has won the election for {raising.connection.alias}")


def _listening(
    raising: Raising,
    election: Election,
    kept: tuple[dict[str, ledger.Record], dict[str, int]],
    total: int,
) -> Applying:
    records, retries = kept
    known = {step.id: step for step in raising.gate.steps(raising.connection.alias)}
    secrets = raising.report.secrets

    def on_start(step: str) -> None:
        raising.report.stage("migrate", step, "applying", step=step)

    def on_done(step: str, took: float) -> None:
        said = [(masked(without_values(sql), secrets), t) for sql, t in applying.statements]
        records[step] = ledger.Record(
            known.get(step, Step(step)), took, said, applying.locks, retries.get(step, 0)
        )
        raising.report.stage("migrate", step, f"done ({len(records)} of {total})", took, step=step)

    applying = changing(raising, election, on_start, on_done)
    return applying


def changing(
    raising: Raising,
    election: Election,
    on_start: Callable[[str], None],
    on_done: Callable[[str, float], None],
) -> Applying:
    """Return what the framework is given: each session fenced, and with its lock budget."""
    is_server = raising.connection.vendor == "postgresql"
    budget = float(raising.settings["lock_timeout"]) if is_server else 0.0

    def opened(run: Any, cut: Callable[[], None]) -> None:
        election.fence(run, cut)
        if budget:
            run(f"SET lock_timeout = {int(budget * 1000)}")

    return Applying(
        on_start=on_start,
        on_done=on_done,
        opened=opened,
        redirect=election.redirect,
        lock_timeout=budget,
        ask_locks=OWN_LOCKS if is_server else "",
    )


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE that any driver's error in the chain carries, or an empty string."""
    one: BaseException | None = error
    while one is not None:
        for source in (one, getattr(one, "orig", None)):
            for name in ("sqlstate", "pgcode"):
                value = getattr(source, name, None)
                if isinstance(value, str) and value:
                    return value
        one = one.__cause__ or one.__context__
    return ""


def _is_gone(error: BaseException, state: str) -> bool:
    if state:
        return state in SERVER_GONE
    kinds = {type(one).__name__ for one in (error, error.__cause__, getattr(error, "orig", None))}
    named = {"OperationalError", "InterfaceError", "ConnectionDoesNotExistError"}
    text = str(error).lower()
    words = ("connection", "server closed", "terminat")
    return bool(kinds & named) and any(word in text for word in words)


def _failure(
    raising: Raising, applying: Applying, error: Exception, state: str, before: Verdict
) -> TidegateError:
    """Say the step, the statement, the cause, and where the database stands now."""
    cause = masked(str(error).strip() or type(error).__name__, raising.report.secrets)
    kind = type(error).__name__
    sql = " ".join((applying.failing or applying.statement).split())
    shown = f"{sql[:300]} …" if len(sql) > 300 else sql
    step = applying.step or "(between two steps)"
    meaning = [f"cause: {kind}: {cause.splitlines()[0]}" + (f" ({state})" if state else "")]
    meaning += [line for line in cause.splitlines()[1:4] if line.strip()]
    if shown:
        meaning.append(f"last statement: {shown}")
    path = next((s.path for s in raising.gate.steps(raising.connection.alias) if s.id == step), "")
    if path:
        meaning.append(f"file: {path}")
    meaning.append(_stands(raising, before))
    if not applying.atomic:
        meaning.append(
            f"{step} does not run in one transaction: what it did before it failed may still be "
            "there (an INVALID index, a new column). Look before you run it again."
        )
    if state == LOCK_REFUSED:
        return ElectionNotWon(
            f"step {step} did not get its lock within the lock budget",
            "\n".join(meaning),
            "end the transaction that blocks it (pg_stat_activity), or raise --lock-timeout",
        )
    advice = "correct the step, then run this again"
    if raising.command:
        advice = f"correct the step and start again; {raising.command} was not started"
    if _is_there(state, cause):
        meaning.append(
            "What the step makes is there already: made by hand, by create_all, or by a step "
            "whose record was lost."
        )
        advice = (
            "compare it with what the steps make, then record them: tidegate adopt --plan\n"
            f"or, if it may go, remove it; then run this again{_unstarted(raising)}"
        )
    return StepFailed(
        f"step {step} failed on database {raising.connection.alias}", "\n".join(meaning), advice
    )


def _unstarted(raising: Raising) -> str:
    return f" ({raising.command} was not started)" if raising.command else ""


def _is_there(state: str, cause: str) -> bool:
    """Whether a step failed because what it makes exists; SQLite tells by its text alone."""
    return state in EXISTS or (not state and bool(EXISTS_SQLITE.search(cause)))


def _stands(raising: Raising, before: Verdict) -> str:
    try:
        now = _standing(raising)
    except (Transient, Permanent) as error:
        return f"database: can't be asked where it stands: {error}"
    fresh = [step for step in before.pending if step in now.applied]
    if not fresh:
        return "database: stands where it stood before, no step of this run was kept"
    kept = ", ".join(fresh[-3:])
    return (
        f"database: {len(fresh)} of {len(before.pending)} steps are applied and stay "
        f"(the last: {kept}); {len(now.pending)} are pending"
    )


def _standing(raising: Raising) -> Verdict:
    return raising.gate.standing(raising.connection)


def patiently(raising: Raising, open_it: Callable[[], Any]) -> Any:
    """Open something at the server; a server that is away for a moment is waited for."""
    from tidegate.container.waiting import Dependency, wait_for
    from tidegate.errors import NotReady, RefusedForGood

    held: list[Any] = []

    def probe(timeout: float) -> str:
        held.append(open_it())
        return "open"

    name = raising.connection.shown
    (outcome,) = wait_for(
        [Dependency(name, probe)], raising.deadline, lambda *_: None, raising.signals.event
    )
    if outcome.ready:
        return held[0]
    if raising.signals.stopped:
        raise Stopped(raising.signals.stopped)
    if outcome.error:
        raise RefusedForGood(outcome.error.what, outcome.error.meaning, outcome.error.next)
    raise NotReady(
        f"{name} was not ready within {raising.settings['timeout']} s: {outcome.detail}",
        "",
        "see whether the server runs and can be reached from here",
    )
