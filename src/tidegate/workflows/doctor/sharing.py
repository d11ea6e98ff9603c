"""Lines of a Compose file that several services have by an anchor: a mend changes them all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tidegate.contracts.check import Problem
from tidegate.reading.project.composefiles import Stack
from tidegate.reading.project.edits import Edit, line_start
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.tree import Item


def guarded(project: ProjectFiles, problem: Problem, messages: Sequence[str]) -> Problem:
    """Return a problem without its mend where that would change a service that is well.

    `messages` are those of every problem of the same check at the same place: they name the
    services that have the fault.
    """
    edits = [one for one in problem.edits if not (one.command or one.executable)]
    others: list[str] = []
    for stack in project.stacks if edits else ():
        if not any(one.path in stack.files for one in edits):
            continue
        for name in _sharing(project, stack, edits):
            said = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
            if name not in others and not any(said.search(one) for one in messages):
                others.append(name)
    if not others:
        return problem
    have = "has" if len(others) == 1 else "have"
    why = f"in the service itself: {' and '.join(others)} {have} that line too, by an anchor"
    return replace(problem, edits=(), remedy=f"{problem.remedy}\n{why}")


def _sharing(project: ProjectFiles, stack: Stack, edits: Sequence[Edit]) -> list[str]:
    """Return the services that have an edited text from outside of their own lines.

    None where the text is nobody's but one service's.
    """
    services = stack.section("services")
    outside = [
        name
        for name, item in services.items()
        if any(
            one.path == edit.path and one.start <= edit.start <= one.end + 1
            for one in _borrowed(item)
            for edit in edits
        )
    ]
    return [*outside, *(_owner(project, services, edit) for edit in edits)] if outside else []


def _owner(project: ProjectFiles, services: dict[str, Item], edit: Edit) -> str:
    """Return the service in whose own lines an edit lies; empty for an anchor of the file's top."""
    text = project.read(edit.path) or ""
    for name, item in services.items():
        first = line_start(text, item.key_line or item.line)
        if item.path == edit.path and first <= edit.start <= item.end + 1:
            return name
    return ""


def _borrowed(service: Item) -> Iterator[Item]:
    """Yield the values of a service that stand outside of its own lines."""
    todo = list(service.entries.values())
    while todo:
        one = todo.pop()
        own = one.path != service.path or service.line <= one.line <= service.end_line
        if not own and one.start:
            yield one
        todo += one.value if isinstance(one.value, tuple) else one.entries.values()
