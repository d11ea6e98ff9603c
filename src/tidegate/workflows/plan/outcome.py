"""What is known after a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.model.connection import Connection
from tidegate.model.step import Step
from tidegate.workflows.plan.project import Project
from tidegate.workflows.plan.target import Target
from tidegate.workflows.plan.traced import Rehearsed


@dataclass(slots=True)
class Outcome:
    """Everything that is known after a rehearsal."""

    project: Project
    connection: Connection
    steps: list[Step]
    applied: frozenset[str]
    unknown: tuple[str, ...]
    pending: list[Step]
    target: Target | None
    source: str
    engine: str
    rehearsed: Rehearsed
    not_restored: list[str]
    seconds: dict[str, float]
    rewrite_above: int = 0
