"""Compose refuses a Compose file.

It is YAML, and not what Compose takes: a list in the place of a mapping, a key twice, a key that is misspelt, `depends_on` a service that nobody declares.
Every `docker compose` command ends with that, so nothing starts, and nothing can be stopped or looked at either.
It is silent about names that another Compose file of the project declares, since the two may be meant to be given together, and about templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import composefiles, edits, examples
from tidegate.reading.project.composefiles import DEFAULT_NAMES, Stack
from tidegate.reading.project.composeshape import Refusal
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import masked

SEVERITY = "error"
ERRORS = (
    r"Additional propert\w+ \S+ (is|are) not allowed",
    r"services(\.\S+)? must be a",
    r"depends on undefined service \S+",
    r"refers to undefined (volume|network|secret|config) \S+",
    r"has neither an image nor a build context specified",
    r"mapping key \S+ already defined",
    r"invalid interpolation format for \S+",
    r"cannot extend service",
    r"service \"?\S+\"? not found in",
    r"include cycle detected",
    r"dependency cycle detected",
    r"missing unit in duration",
    r"empty compose file",
    r"unexpected type map\[string\]interface",
    r"must be one of the following: \"service_started\"",
    r"failed to cast to expected type",
    r"invalid compose project",
)
PRINTED = "services.web Additional property enviroment is not allowed"
WHEN = "at every `docker compose` command"
BAD = {
    "compose.yaml": "services:\n  web:\n    image: example/shop:1.0\n    enviroment:\n      DEBUG: 0\n"
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("enviroment", "environment")}
AT = "compose.yaml:4"
_FILE = re.compile(r"env file .* not found|no such file")  # a check of its own names those


def _alone(project: ProjectFiles, stack: Stack) -> bool:
    """Whether these files are run as they are: asked for, the default ones, or the only one."""
    default = stack.files[0] in DEFAULT_NAMES or len(project.compose_paths) == 1
    return default or stack.files == project.asked


def _refused(project: ProjectFiles, stack: Stack) -> tuple[list[Refusal], Problem | None]:
    """Return what is refused, and apart what a file declares of which the project has an example."""
    beside, alone = project.declared_beside(stack), _alone(project, stack)
    found = list(stack.refused(beside, alone))
    stem, _, end = stack.files[0].rpartition(".")
    wanted = f"{stem}.override.{end}"
    example = examples.beside(wanted, project.path_set) if len(stack.files) == 1 else ""
    if not found or not example or stack.files[0].rpartition("/")[2] not in DEFAULT_NAMES:
        return found, None
    more = composefiles.names(example, project.read)
    both = {key: beside.get(key, frozenset()) | {*more.get(key, ())} for key in {*beside, *more}}
    kept = list(stack.refused(both, alone))
    gone = [one for one in found if one not in kept]
    if not gone:
        return found, None
    return kept, Problem(
        Place(gone[0].path, gone[0].line),
        f"{wanted} is not there, and {gone[0].path} needs what it declares.",
        f"cp {example} {wanted}, and fill it in",
        (Place(example, 1),),
        severity="info",
        printed=gone[0].said,
    )


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield what the engine's own Compose refuses, where nothing of it is told by the files."""
    seen = any(one.severity != "warning" for one in look(project))
    if not live.refused or seen or _FILE.search(live.refused):
        return
    path = project.stacks[0].files[0]
    line = re.search(r"\bline (\d+)", live.refused)
    unset = re.search(r"required variable (\w+) is missing", live.refused)
    said = masked(live.refused)
    yield Problem(
        Place(path, int(line[1]) if line else 0),
        f"Compose refuses {path} on this machine: {said}.",
        f"give {unset[1]} a value in .env, or export it" if unset
        else "correct it; docker compose config says the same",
        printed=said,
    )  # fmt: skip


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield what Compose refuses in each set of files."""
    for stack in project.stacks:
        found, copy = _refused(project, stack)
        if copy is not None:
            yield copy
        for one in found:
            if one.unread or "template" in one.path.rpartition("/")[2]:
                continue
            yield Problem(
                Place(one.path, one.line),
                f"Compose refuses {one.path}: {one.said}.",
                one.remedy or "correct the line; docker compose config says the same",
                edits=edits.swap(one.path, project.read(one.path) or "", one.line, *one.swap),
                severity="" if one.sure else "warning",
                printed=one.said,
            )
