"""The way back, gone: under the election, written down, and looked at afterwards."""

from __future__ import annotations

from tidegate.container import ledger, ways
from tidegate.container.applying import backed_up
from tidegate.container.failing import blocking, cause, shown, unblock
from tidegate.container.holding import elected
from tidegate.container.parts import DOWN, Parts
from tidegate.container.patience import Patience
from tidegate.container.persisting import Work, persist
from tidegate.container.raising import Raising
from tidegate.container.stepping import (
    book_of,
    changing,
    closing,
    doorway,
    said,
)
from tidegate.container.undoing import Plan, Planning, plan
from tidegate.contracts.database import Election
from tidegate.contracts.framework import Applying
from tidegate.errors import ElectionNotWon, PolicyRefused, StepFailed, TidegateError
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate
from tidegate.model.step import Step
from tidegate.model.words import counted


def refuse_loss(found: Plan) -> None:
    """Raise PolicyRefused unless going down loses nothing, by what is counted right now."""
    way = found.chosen
    if way is not None and way.name == "down" and (way.harmless or not way.loses):
        return
    lines = way.loses if way else [one.why_not for one in found.ways if one.why_not]
    raise PolicyRefused(
        f"{found.alias} can't go back without losing data; nothing was undone",
        "\n".join(lines), ways.advice(found),
    )  # fmt: skip


def same(planning: Planning, agreed: Plan) -> Plan:
    """Plan again, under the election, and refuse where that is no longer what was agreed on."""
    now = plan(planning)
    if now.word != agreed.word:
        raise PolicyRefused(
            f"{agreed.alias} has changed since this was planned; nothing was undone",
            "Another process applied, undid or recorded steps meanwhile.",
            "plan it again: tidegate rollback --plan",
        )
    return now


def go_down(raising: Raising, planning: Planning, agreed: Plan, safe: bool = False) -> None:
    """Undo the plan's steps by their own reverse; what was agreed must still be the plan."""
    gate, connection = raising.gate, raising.connection
    lost: list[str] = []
    with elected(raising, lost) as election:
        now = same(planning, agreed)
        if now.chosen and now.chosen.lacks:
            raising.report.warn(f"{connection.alias}: going down does not bring back what went "
                                f"when it was applied: {'; '.join(now.chosen.lacks)}")  # fmt: skip
        if safe:
            refuse_loss(now)  # somebody may have written since
        receipt = backed_up(raising, ())
        book = book_of(raising, election)
        book.begin(
            " ".join(step.id for step in now.steps)[:2000], "rollback", fingerprint=now.word,
            level_before=gate.recorded_digest(connection.alias), backup=receipt,
        )  # fmt: skip
        records: dict[str, ledger.Record] = {}
        with closing(raising, book, records, undone=True):
            _undo(raising, election, now, records, lost)


def _undo(
    raising: Raising,
    election: Election,
    now: Plan,
    records: dict[str, ledger.Record],
    lost: list[str],
) -> None:
    """Undo; ask again for a refused lock until the deadline."""
    patience = Patience(raising, election, "rollback")
    parts = Parts(election.query, DOWN)
    door = doorway(raising, patience, parts)
    known = {step.id: step for step in now.steps}

    def attempt() -> Applying:
        def on_start(step: str) -> None:
            raising.report.stage("rollback", step, "undoing", step=step)

        def on_done(step: str, took: float) -> None:
            records[step] = ledger.Record(
                known.get(step, Step(step)), took, said(applying, raising), applying.locks,
                patience.retries.get(step, 0), "undone", patience.waits.of(step),
            )  # fmt: skip
            text = f"undone ({len(records)} of {len(now.steps)})"
            raising.report.stage("rollback", step, text, took, step=step)

        applying = changing(raising, election, door, on_start, on_done)
        return applying

    def run(applying: Applying) -> None:
        todo = [step for step in now.steps if step.id not in records]
        raising.gate.project.undo(raising.connection, todo, list(now.remaining), applying)
        _check(raising, now)

    work = Work(
        attempt,
        run,
        lambda: _stands(raising, now),
        lambda applying, error: _failure(raising, patience, now, applying, error),
    )
    persist(raising, election, work, lost, patience, door)
    if door is not None:
        parts.forget(step.id for step in now.steps)


def _check(raising: Raising, now: Plan) -> None:
    verdict = raising.gate.standing(raising.connection)
    left = [step.id for step in now.steps if step.id in verdict.applied]
    if left:
        raise StepFailed(
            f"{now.alias} still has {counted(len(left), 'step')} after the framework was done",
            f"Still applied: {', '.join(left[:5])}.",
            "see `tidegate status`",
        )


def _failure(
    raising: Raising, patience: Patience, now: Plan, applying: Applying, error: Exception
) -> TidegateError:
    step = applying.step or "(between two steps)"
    sql = applying.shown
    lines = cause(error, sqlstate(error), sql, raising.report.secrets)
    if sql:
        lines.append(f"last statement: {shown(sql)}")
    path = next((one.path for one in now.steps if one.id == step), "")
    if path:
        lines.append(f"file: {path}")
    lines.append(_stands(raising, now))
    if not applying.atomic:
        lines.append(f"{step} does not run in one transaction: part of its reverse may stay.")
    if sqlstate(error) == LOCK_REFUSED:
        return ElectionNotWon(
            f"undoing {step} did not get its lock before the deadline",
            "\n".join([*lines, *blocking(patience)]), unblock(patience),
        )  # fmt: skip
    return StepFailed(
        f"{step} could not be undone on database {now.alias}", "\n".join(lines),
        "see the ways that are left: tidegate rollback --plan",
    )  # fmt: skip


def _stands(raising: Raising, now: Plan) -> str:
    try:
        verdict = raising.gate.standing(raising.connection)
    except (Transient, Permanent) as error:
        return f"database: can't be asked where it stands: {error}"
    gone = [step.id for step in now.steps if step.id not in verdict.applied]
    return f"database: {len(gone)} of {len(now.steps)} steps are undone and stay so"
