"""A Compose file can't be read.

It is no YAML, it is a folder, its anchors contain themselves: no `docker compose` command works with it, and no other check can see what stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.composeshape import Refusal
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"yaml: line \d+",
    r"read \S+compose\S*: is a directory",
    r"excessive aliasing",
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
        for one in stack.problems:
            if not one.unread:
                continue
            closed = "" if one.line else project.unread.get(one.path, "")
            folder = (project.root / one.path).is_dir()
            why = "it is a folder" if folder else closed[:1].lower() + closed[1:] or one.said
            yield Problem(
                Place(one.path, one.line),
                f"{one.path} can't be read: {why}.",
                _remedy(one, folder, bool(closed)),
                printed=f"read {one.path}: is a directory" if folder else _printed(one.said),
            )


def _remedy(one: Refusal, folder: bool, closed: bool) -> str:
    if folder:
        return f"remove the folder {one.path}, and write the file"
    if closed:
        return "let this user read it, as UTF-8 text"
    if "aliasing" in one.said:
        return "write the values out; docker compose config takes all memory over such a file"
    return "correct the line; docker compose config says the same"


def _printed(said: str) -> str:
    return said if said.startswith("yaml:") else ""
