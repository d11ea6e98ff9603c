"""The target of a migration: the step that it names, and what is needed to get there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidegate.errors import PolicyRefused, UsageProblem
from tidegate.model.level import Verdict, heads
from tidegate.model.step import Step


def goal_of(steps: Sequence[Step], target: str) -> str:
    """Return the step that `target` names; nothing for an app or a head, which are ahead of all."""
    known = {step.id for step in steps}
    matching = [one for one in known if one == target or one.startswith(target)]
    if target == "zero" or target.endswith((".zero", " zero")) or target.startswith("-"):
        raise backwards(target)
    tops = heads(steps) if target == "head" else ()
    if len(tops) > 1:
        raise UsageProblem(
            f"head means several steps: {', '.join(tops)}",
            "The code has several heads. Nothing was changed.",
            "apply all of them: tidegate migrate heads; or join them: tidegate make --merge",
        )
    if target in _apps(steps) or target in ("head", "heads") or target[0] == "+" or "@" in target:
        return ""
    if target not in known and len(matching) != 1:
        raise UsageProblem(
            f"there is no step {target}" if not matching else f"{target} means several steps",
            f"Did you mean: {', '.join(sorted(matching)[:5])}?" if matching else "",
            "name it in full; see `tidegate status`",
        )
    return target if target in known else matching[0]


def backwards(target: str) -> PolicyRefused:
    """Return the refusal of a target that lies behind."""
    return PolicyRefused(
        f"{target} lies behind where the database stands",
        "migrate only goes forward: steps that are taken back can lose data. Nothing was changed.",
        "see the ways back and what they lose: tidegate rollback --plan",
    )


def aimed(steps: Sequence[Step], target: str, verdict: Verdict) -> Verdict:
    """Return the verdict with those pending steps only that `target` needs."""
    if not target or not verdict.pending:
        return verdict
    goal = goal_of(steps, target)
    apps = _apps(steps)
    if goal:
        ends = [goal]
    elif target in apps:
        ends = [step.id for step in steps if step.id.split(".", 1)[0] == target]
    else:
        return verdict  # a head, or a number of steps: the framework counts
    needed = _needed(steps, ends)
    pending = tuple(step for step in verdict.pending if step in needed)
    return replace(verdict, pending=pending, unrecorded=verdict.unrecorded if pending else ())


def _apps(steps: Sequence[Step]) -> set[str]:
    return {step.id.split(".", 1)[0] for step in steps if "." in step.id}


def _needed(steps: Sequence[Step], ends: Sequence[str]) -> set[str]:
    """Return the ends and all below them; a squash and what it replaces stand for each other."""
    by_id = {step.id: step for step in steps}
    instead = {old: step.id for step in steps for old in step.replaces}
    seen: set[str] = set()
    todo = list(ends)
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in by_id:
            todo += [*by_id[one].needs, *by_id[one].replaces]
        if one in instead:
            todo.append(instead[one])
    return seen
