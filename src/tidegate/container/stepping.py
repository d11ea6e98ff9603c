"""Apply the pending steps under a run in the ledger; what it says is read from the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tidegate.container import ledger
from tidegate.container.doorway import Doorway
from tidegate.container.failing import failure, half, stands
from tidegate.container.parts import Parts
from tidegate.container.patience import Patience
from tidegate.container.persisting import Work, persist
from tidegate.container.raising import Raising
from tidegate.container.report import masked
from tidegate.contracts.database import Election
from tidegate.contracts.framework import Applying
from tidegate.errors import StepFailed, Stopped, TidegateError
from tidegate.model import words
from tidegate.model.level import Verdict
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqltext import without_values
from tidegate.model.step import Step

OWN_LOCKS = (  # the strong ones on the user's own relations
    "SELECT DISTINCT mode, relation::regclass::text FROM pg_locks WHERE locktype = 'relation' "
    "AND pid = pg_backend_pid() AND granted AND relation >= 16384 AND mode IN "
    "('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', "
    "'AccessExclusiveLock') AND relation IN (SELECT oid FROM pg_class WHERE relkind IN "
    "('r', 'p', 'm', 'f'))"
)


def book_of(raising: Raising, election: Election) -> ledger.Ledger:
    """Return the ledger of this database, written through the election's own session."""
    gate, connection = raising.gate, raising.connection
    return ledger.Ledger(
        election.query, connection.vendor, gate.project.framework, connection.alias, gate.environ
    )


def written_down(
    raising: Raising, election: Election, before: Verdict, lost: list[str], receipt: str = ""
) -> Verdict:
    """Apply under a run in the ledger; the run's steps are those that the database has after."""
    gate, connection = raising.gate, raising.connection
    book = book_of(raising, election)
    records: dict[str, ledger.Record] = {}
    parts = Parts(election.query, usable=not connection.tenants)
    if connection.vendor == "postgresql":
        parts.forget(before.applied)
    book.begin(
        " ".join(before.pending)[:2000],
        fingerprint=raising.plan or gate.fingerprint(connection.alias, before.pending),
        level_before=gate.recorded_digest(connection.alias),
        backup=receipt,
    )
    with closing(raising, book, records):
        _apply_or_stop(raising, election, (records, parts), before, lost)
    after = _standing(raising)
    if connection.vendor == "postgresql":
        parts.forget(after.applied - before.applied)
    if after.pending and not raising.target:
        raise StepFailed(
            f"{connection.alias} still lacks {words.counted(len(after.pending), 'step')} after the "
            "framework said that it was done",
            f"Pending: {', '.join(after.pending[:5])}.",
            "see `tidegate status`",
        )
    return after


def _apply_or_stop(
    raising: Raising,
    election: Election,
    kept: tuple[dict[str, ledger.Record], Parts],
    before: Verdict,
    lost: list[str],
) -> None:
    """Apply; a signal in the middle is told where it leaves the database."""
    last: list[Applying] = []
    try:
        _apply(raising, election, kept, before, lost, last)
    except Stopped as stop:
        stop.stands = stands(raising, before)
        running = last[-1] if last else None
        if running and running.step and not running.atomic:
            stop.stands += "; " + half(raising.connection.vendor, running.step, running)
        elif running and running.step:
            stop.stands += f"; {running.step} was running, and is taken back"
        raise


@contextmanager
def closing(
    raising: Raising,
    book: ledger.Ledger,
    records: Mapping[str, ledger.Record],
    undone: bool = False,
) -> Iterator[None]:
    """Write the end of the run, however it ends.

    Only steps that the database really has count, or, with `undone`, that it no longer has.
    """
    began, state, message = time.monotonic(), "failed", ""
    try:
        yield
        state = "done"
    except Stopped as stop:
        message = f"stopped by signal {stop.signum}"
        raise
    except TidegateError as error:
        message = masked(error.what, raising.report.secrets)
        raise
    finally:
        _close(raising, book, (state, message, time.monotonic() - began), records, undone)


def _close(
    raising: Raising,
    book: ledger.Ledger,
    end: tuple[str, str, float],
    records: Mapping[str, ledger.Record],
    undone: bool,
) -> None:
    """What can't be written must not hide why the run ended."""
    try:
        applied = _standing(raising).applied
    except (Transient, Permanent):
        return  # the server is gone: the next holder closes this run as abandoned
    kept = [record for id, record in records.items() if (id in applied) is not undone]
    after = raising.gate.recorded_digest(raising.connection.alias)
    state, message, took = end
    book.end(state, took, kept, message, after)
    if book.off:
        raising.report.warn(f"the ledger was not written: {book.off}")


def _apply(
    raising: Raising,
    election: Election,
    kept: tuple[dict[str, ledger.Record], Parts],
    before: Verdict,
    lost: list[str],
    last: list[Applying],
) -> None:
    records, parts = kept
    patience = Patience(raising, election, "migrate")
    door = doorway(raising, patience, parts)
    known = {step.id: step for step in raising.gate.steps(raising.connection.alias)}
    total = len(before.pending)

    def attempt() -> Applying:
        def on_start(step: str) -> None:
            raising.report.stage("migrate", step, f"applying{applying.place}", step=step)

        def on_done(step: str, took: float) -> None:
            record = ledger.Record(
                known.get(step, Step(step)), took, said(applying, raising), applying.locks,
                patience.retries.get(step, 0), waits=patience.waits.of(step),
            )  # fmt: skip
            records[step] = record.after(records.get(step)) if applying.where else record
            text = f"done{applying.place} ({len(records)} of {total})"
            raising.report.stage("migrate", step, text, took, step=step)

        applying = changing(raising, election, door, on_start, on_done)
        last.append(applying)
        return applying

    project = raising.gate.project
    work = Work(
        attempt,
        lambda applying: project.apply(raising.connection, raising.target, applying),
        lambda: stands(raising, before),
        lambda applying, error: failure(raising, patience, applying, error, before),
    )
    began = time.monotonic()
    persist(raising, election, work, lost, patience, door)
    applied = sum(record.seconds for record in records.values())
    raising.report.count("migrate", time.monotonic() - began - applied)


def said(applying: Applying, raising: Raising) -> list[tuple[str, float]]:
    """Return the statements of the step that ended, without values and secrets."""
    secrets = raising.report.secrets
    return [(masked(without_values(sql), secrets), took) for sql, took in applying.statements]


def doorway(raising: Raising, patience: Patience, parts: Parts) -> Doorway | None:
    """Return what statements pass through; nothing where the database has no such locks."""
    return Doorway(patience, parts) if raising.connection.vendor == "postgresql" else None


def changing(
    raising: Raising,
    election: Election,
    door: Doorway | None,
    on_start: Callable[[str], None],
    on_done: Callable[[str, float], None],
) -> Applying:
    """Return what the framework is given: each session fenced, and with its lock budget."""
    budget = float(raising.settings["lock_timeout"]) if door is not None else 0.0

    def opened(run: Any, cut: Callable[[], None]) -> None:
        election.fence(run, cut)
        if budget:
            run(f"SET lock_timeout = {int(budget * 1000)}")

    return Applying(
        on_start=on_start,
        on_done=on_done,
        opened=opened,
        redirect=election.redirect,
        door=door,
        ask_locks=OWN_LOCKS if door is not None else "",
    )


def _standing(raising: Raising) -> Verdict:
    return raising.gate.standing(raising.connection)
