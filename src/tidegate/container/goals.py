"""Where a way back is to end: which steps go, for a step, a run, a revision or a level by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidegate.container.history import effects, read
from tidegate.contracts.database import Session
from tidegate.errors import UsageProblem
from tidegate.model.level import ancestors
from tidegate.model.step import Step

if TYPE_CHECKING:
    from tidegate.container.undoing import Planning


def wanted(
    one: Planning, session: Session, applied: Sequence[Step], half: Sequence[str] = ()
) -> tuple[set[str], str]:
    """Return the steps to undo, and the goal in words."""
    ids = {step.id for step in applied}
    if one.level:
        return _beyond(one, ids), f"when its last steps were {one.level}"
    if one.to in ids:
        return _above(applied, one.to), f"when {one.to} was the last"
    known = {step.id for step in one.steps}
    if one.to in known:
        raise UsageProblem(f"{one.to} is not applied", "", "see `tidegate status`")
    if is_zero(one.to):
        return _from_the_first(one.to, ids, known)
    runs = read(one.gate, one.connection, session).runs
    if not one.to:
        if half and not _kept(newest := _newest(runs), ids):  # it has ended no step, and begun one
            return set(), f"before run {newest['number'] or newest['id'][:8]}"
        last = next((run for run in reversed(runs) if _kept(run, ids)), None)
        if last is None:
            raise UsageProblem(
                "the ledger has no run whose steps are still applied",
                "Without --to a rollback undoes what the last run applied.",
                "name the step that shall be the last with --to STEP",
            )
        return _kept(last, ids), f"before run {last['number'] or last['id'][:8]}"
    at = [n for n, run in enumerate(runs) if _is_named(run, one.to)]
    if not at:
        raise UsageProblem(
            f"{one.to} is no step, run, image or revision on record",
            "",
            "see `tidegate history` and `tidegate status`",
        )
    return ids - _then(runs[at[-1] + 1 :], ids), f"after run {runs[at[-1]]['number']}"


def is_zero(text: str) -> bool:
    """Whether it is a framework's word for what lies before the first step, or an app's first."""
    return text in ("zero", "base") or text.endswith(".zero")


def _from_the_first(text: str, applied: set[str], known: set[str]) -> tuple[set[str], str]:
    app = text.rpartition(".")[0]
    if not app:
        return applied, "before its first step"
    if not any(step.startswith(f"{app}.") for step in known):
        raise UsageProblem(f"{app} is no app with steps", "", "see `tidegate status`")
    return {step for step in applied if step.startswith(f"{app}.")}, f"before the first of {app}"


def _beyond(one: Planning, applied: set[str]) -> set[str]:
    """Return what a level, named by its last steps, does not have."""
    tops = [] if one.level == "zero" else one.level.split(",")
    known = {step.id for step in one.steps}
    lacking = [top for top in tops if top not in known]
    if lacking:
        raise UsageProblem(f"{lacking[0]} is no step of this code", "", "see `tidegate status`")
    stays = set(ancestors(one.steps, tops))
    for step in one.steps:  # a squash and what it replaces are one and the same
        if step.id in stays or (step.replaces and set(step.replaces) <= stays):
            stays.update((step.id, *step.replaces))
    return applied - stays


def _is_named(run: Mapping[str, Any], text: str) -> bool:
    if str(run["number"]) == text or (len(text) > 3 and str(run["id"]).startswith(text)):
        return True
    revision = str(run["revision"] or "")
    return run["image"] == text or (len(text) > 6 and revision.startswith(text))


def _kept(run: Mapping[str, Any], applied: set[str]) -> set[str]:
    return {step for step, state in effects(run) if state == "done" and step in applied}


def _newest(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the newest run that was to apply steps."""
    migrating = [run for run in runs if run["kind"] == "migrate"]
    return migrating[-1] if migrating else {"steps": [], "state": "", "number": 0, "id": ""}


def _then(later: Sequence[Mapping[str, Any]], applied: set[str]) -> set[str]:
    """Return which of the applied steps were there before these runs, taken back one by one."""
    then = set(applied)
    for run in reversed(later):
        for step, state in effects(run):
            if state == "done":  # what was adopted was there before
                then.discard(step)
            elif state == "undone":
                then.add(step)
    return then & applied


def _above(applied: Sequence[Step], goal: str) -> set[str]:
    return with_dependents(applied, {s.id for s in applied if goal in s.needs})


def with_dependents(applied: Sequence[Step], goes: set[str]) -> set[str]:
    """Add what needs a step that goes; `applied` is in order."""
    out = set(goes)
    for step in applied:
        if out.intersection(step.needs):
            out.add(step.id)
    return out
