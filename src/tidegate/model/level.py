"""The level of a database against the steps of the code: the gate state, without any framework."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tidegate.model.step import Step

GateState = Literal["empty", "behind", "current", "ahead", "diverged", "unreachable"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison of code and database says.

    `pending` are steps of the code that the database lacks, in an order in which they can be
    applied; `unknown` are ids that the database has and the code does not. `unrecorded` are
    squashed steps whose originals are all applied, and which the framework still has to write
    down: once `replaces` is gone from their file, only that record tells that they were.
    """

    state: GateState
    applied: frozenset[str]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]
    unrecorded: tuple[str, ...] = ()

    @property
    def to_do(self) -> tuple[str, ...]:
        """What a migration would apply, or only write down."""
        return self.pending or self.unrecorded


def judge(steps: Sequence[Step], recorded: Iterable[str]) -> Verdict:
    """Compare the code's steps with the ids recorded as applied.

    A squashed step counts as applied when it is recorded or all that it replaces is, and is not
    asked for when only a part is: then the rest of what it replaces is pending, as in Django's
    loader (django/db/migrations/loader.py, `build_graph`). Where the files of that rest are gone
    nothing can bring the database on, and the squash stays pending.
    """
    rows = frozenset(recorded)
    known = {step.id for step in steps} | {old for step in steps for old in step.replaces}
    covered, dropped = _squashes(steps, rows)
    applied = rows | covered
    pending = tuple(
        step.id
        for step in in_order(_without(steps, dropped))
        if step.id not in applied and step.id not in dropped
    )
    unknown = tuple(sorted(rows - known))
    unrecorded = tuple(step.id for step in steps if step.id in covered - rows and step.replaces)
    state = _state(rows & known, pending, unknown)
    return Verdict(state, applied & known, pending, unknown, unrecorded)


def _state(known: frozenset[str], pending: Sequence[str], unknown: Sequence[str]) -> GateState:
    if unknown:
        return "diverged" if pending else "ahead"
    if not pending:
        return "current"
    return "behind" if known else "empty"


def _squashes(steps: Sequence[Step], rows: frozenset[str]) -> tuple[set[str], set[str]]:
    """Return (ids covered by what is recorded, ids that must not be asked for)."""
    files = {step.id for step in steps}
    covered: set[str] = set()
    dropped: set[str] = set()
    for step in in_order(steps):
        if not step.replaces:
            continue
        have = rows | covered
        olds = set(step.replaces)
        if step.id in have or olds <= have:
            covered |= {step.id} | (olds & files)
        elif olds & have:
            if olds - have <= files:
                dropped.add(step.id)
        else:
            dropped |= olds
    return covered, dropped


def _without(steps: Sequence[Step], dropped: Container[str]) -> Sequence[Step]:
    """Return the steps so that those behind a squash of which a part is applied need its parts."""
    parts = {step.id: step.replaces for step in steps if step.replaces and step.id in dropped}
    if not parts:
        return steps
    return [
        replace(step, needs=tuple(one for need in step.needs for one in parts.get(need, (need,))))
        for step in steps
    ]


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Order steps so that each comes after what it needs; ties keep the given order."""
    by_id = {step.id: step for step in steps}
    standing_for = {old: step.id for step in steps for old in step.replaces}
    done: dict[str, Step] = {}
    for root in steps:
        stack = [(root, False)]
        entered: set[str] = set()
        while stack:
            step, children_done = stack.pop()
            if step.id in done:
                continue
            if children_done:
                done[step.id] = step
                continue
            if step.id in entered:
                continue
            entered.add(step.id)
            stack.append((step, True))
            for need in reversed(step.needs):
                target = by_id.get(need) or by_id.get(standing_for.get(need, ""))
                if target is not None and target.id not in done and target.id not in entered:
                    stack.append((target, False))
    return list(done.values())


def ancestors(steps: Sequence[Step], heads: Iterable[str]) -> frozenset[str]:
    """Return the heads and all that they need: Alembic records heads only."""
    by_id = {step.id: step for step in steps}
    seen: set[str] = set()
    todo = list(heads)
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        step = by_id.get(one)
        if step is not None:
            todo.extend(step.needs)
    return frozenset(seen)


def heads(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the ids that no other step needs, replaced ones left out, sorted."""
    needed = {need for step in steps for need in step.needs}
    replaced = {old for step in steps for old in step.replaces}
    return tuple(sorted(s.id for s in steps if s.id not in needed and s.id not in replaced))
