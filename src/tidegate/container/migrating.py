"""The migration alone: each database's pending steps, up to a target, and never backwards."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tidegate.container.aiming import aimed, backwards, goal_of
from tidegate.container.applying import raise_level
from tidegate.container.boot import Boot
from tidegate.container.gate import Gate
from tidegate.container.planned import forms_for
from tidegate.container.raising import Check, Raising
from tidegate.errors import UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.level import ancestors, in_order
from tidegate.model.words import counted


@dataclass(frozen=True, slots=True)
class Migrated:
    """One database after a migration.

    `alias` is its name in the project, `state` its gate state, and `applied` the steps that it has
    now and had not before, in their order.
    """

    alias: str
    state: str
    applied: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """Return it as `migrate --format json` has it."""
        return {"alias": self.alias, "state": self.state, "applied": list(self.applied)}


def knowing(gate: Gate, target: str) -> list[Connection]:
    """Return the databases that have the target among their steps; with a label, all of them."""
    refused: UsageProblem | None = None
    chosen = []
    for connection in gate.connections:
        try:
            goal_of(gate.steps(connection.alias), target)
            chosen.append(connection)
        except UsageProblem as problem:
            refused = refused or problem
    if refused and not chosen:
        raise refused
    return chosen


def reached(gate: Gate, connection: Connection, target: str) -> frozenset[str]:
    """Return the steps that a migration up to `target` comes by; all of them without one."""
    steps = gate.steps(connection.alias)
    goal = goal_of(steps, target) if target else ""
    return ancestors(steps, [goal]) if goal else frozenset(step.id for step in steps)


def raise_to(
    one: Boot, gate: Gate, connection: Connection, target: str, check: Check | None = None
) -> Migrated:
    """Apply the pending steps of one database, up to `target`; never backwards.

    `check` is asked by the winner of the election, before anything is applied.
    """
    began = time.monotonic()
    verdict = gate.standing(connection)
    if target:
        _refuse_backwards(gate, connection, target, verdict.applied)
    needed = aimed(gate.steps(connection.alias), target, verdict)
    if needed.to_do:
        gate.refuse_conflicts(connection.alias)
    raising = Raising(
        gate, connection, one.settings, one.deadline, one.report, one.signals, target, again=True,
        check=check, forms=forms_for(one.settings["forms"], gate.steps(connection.alias)),
    )  # fmt: skip
    after = raise_level(raising) if needed.to_do else verdict
    fresh = [step.id for step in in_order(gate.steps(connection.alias))
             if step.id in after.applied - verdict.applied]  # fmt: skip
    did = f"nothing to apply for {target}" if target else "nothing to apply"
    if fresh:
        did = f"{counted(len(fresh), 'step')} applied by this command or meanwhile"
    text = f"{after.state}; {did}"
    one.report.stage("migrate", connection.alias, text, time.monotonic() - began, state=after.state)
    return Migrated(connection.alias, after.state, tuple(fresh))


def _refuse_backwards(
    gate: Gate, connection: Connection, target: str, applied: frozenset[str]
) -> None:
    """A target at or below what is applied would take steps back."""
    goal = goal_of(gate.steps(connection.alias), target)
    steps = gate.steps(connection.alias)
    if goal in applied and any(goal in step.needs for step in steps if step.id in applied):
        raise backwards(target)
