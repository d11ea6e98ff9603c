"""A Compose file can't be read.

A syntax error, an `extends` that leads nowhere: no `docker compose` command works with it, and no other check can see what stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"yaml: line \d+",
    r"cannot extend service",
    r"service \"?\S+\"? not found in",
    r"additional propert\w+ .* not allowed",
)
PRINTED = "yaml: line 4: did not find expected ',' or ']'"
WHEN = "at every `docker compose` command"
BAD = {
    "compose.yaml": "services:\n  web:\n    image: example/shop:1.0\n    command: [run\n  db:\n    image: postgres:16\n"
}
GOOD = {"compose.yaml": "services:\n  web:\n    image: example/shop:1.0\n    command: [run]\n"}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield what stopped us from reading a file."""
    for stack in project.stacks:
        for path, line, why in stack.problems:
            closed = "" if line else project.unread.get(path, "")
            yield Problem(
                Place(path, line),
                f"{path} can't be read: {closed[:1].lower() + closed[1:] or why}.",
                "let this user read it, as UTF-8 text"
                if closed
                else "correct the line; docker compose config says the same",
            )
