"""Temporary steps become one: made anew from the models, and recorded in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.errors import PolicyRefused, StateNotCurrent
from tidegate.workflows.make import Making, Wanted, written
from tidegate.workflows.making import inside
from tidegate.workflows.watching import applying, aside, temporary
from tidegate.workflows.watching.temporary import Temporary


@dataclass(frozen=True, slots=True)
class Folded:
    """What came of it: the files that went, those that came, and the SQL that these stand for."""

    gone: tuple[Path, ...]
    created: tuple[Path, ...]
    sql: tuple[str, ...]


def fold(one: Making, message: str) -> Folded:
    """Replace the temporary steps; on an error every file is where it was.

    Raises StateNotCurrent where there are none, PolicyRefused where they can't be replaced.
    """
    aside.settle(one.folder)
    steps = temporary.found(one)
    if not steps:
        raise StateNotCurrent(
            "there is no temporary migration to fold", "", "make some: tidegate make --watch"
        )
    temporary.refuse_unfit(one, steps)
    _refuse_not_current(one)
    one.tell.stage("squash", "", f"{len(steps)} temporary migrations into one")
    aside.move(one.folder, [step.path for step in steps])
    try:
        created, sql = _made(one, message, steps)
        aside.note(one.folder, created, False)
        with aside.unbroken():
            _record(one, steps, created)
            aside.note(one.folder, created, True)
    finally:
        aside.settle(one.folder)
    one.stands = {}
    return Folded(tuple(step.path for step in steps), tuple(created), tuple(sql))


def _refuse_not_current(one: Making) -> None:
    one.stands = {}
    for database in one.status()["databases"]:
        if database["state"] != "current":
            raise PolicyRefused(
                f"database {database['alias']} is {database['state']}, not current",
                "Only what it has applied can be replaced by one that counts as applied.",
                "tidegate migrate",
            )


def _made(
    one: Making, message: str, steps: Sequence[Temporary]
) -> tuple[list[Path], Sequence[str]]:
    """Write the one migration, or none where the models are back to what they were.

    What was dropped and added was not renamed, whatever it looks like: that is known here.
    """
    said = temporary.answers(steps)
    wanted = Wanted(message, scratch=not one.django, lenient=True, **said, ask=_dropped)
    created, outcome = written(one, wanted)
    return created, outcome["sql"]


def _dropped(lines: Sequence[str], choices: Sequence[str]) -> int:
    return len(choices) - 1


def _record(one: Making, steps: Sequence[Temporary], created: Sequence[Path]) -> None:
    names = [{"id": step.id, "digest": step.digest} for step in steps]
    made = [applying.step_of(one, path) for path in created]
    job = {"do": "record", "gone": names, "base": steps[0].below, "made": made}
    found = inside.authored(one, job)
    for line in found["notes"]:
        one.tell.warn(line)
