"""A deployment stops what runs before the new release is there.

Between `docker compose down` and the end of the build or pull nobody serves; and when that fails, the old release is gone as well.
Build or pull first, then let `docker compose up -d` replace what changed; or let `tidegate up` do it, which keeps the old image for the way back.
It is silent in scripts that throw the volumes away: those make a development stack anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import scripts, shell
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"502 Bad Gateway",
    r"connect\(\) failed \(111: Connection refused\) while connecting to upstream",
)
PRINTED = "connect() failed (111: Connection refused) while connecting to upstream"
WHEN = "at every deployment for as long as the build takes, and for good where it fails"
BAD = {
    "deploy.sh": "#!/bin/sh\nset -e\ngit pull\ndocker compose down\ndocker compose up -d --build\n",
    "compose.yaml": "services:\n  cache:\n    image: redis:7\n",
}
GOOD = {
    **BAD,
    "deploy.sh": "#!/bin/sh\nset -e\ngit pull\ndocker compose build\ndocker compose up -d\n",
}
AT = "deploy.sh:4"
_NAMED = re.compile(r"deploy|update|upgrade|release|rollout|publish|prod", re.I)
_NOT = re.compile(r"test|dev|local|clean|reset|demo|ci\b|e2e", re.I)
_BUILDS = ("build", "pull")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield `compose down` or `stop` before the build or the pull of the same deployment."""
    for path, name, commands in _deployments(project):
        stopped: shell.Command | None = None
        for one in commands:
            said = _compose(one)
            if said and said[0] in ("down", "stop", "rm") and not {"-v", "--volumes"} & set(said):
                stopped = stopped or (
                    one if len([w for w in said[1:] if w[0] != "-"]) == 0 else None
                )
            builds = bool(said) and (said[0] in _BUILDS or (said[0] == "up" and "--build" in said))
            if builds and stopped is not None and one.line > stopped.line:
                yield Problem(
                    Place(path, stopped.line),
                    f"{name} stops everything and builds or pulls afterwards: nobody serves for as long as that takes, and nothing is left when it fails.",
                    "build or pull first, and leave out the stop: docker compose up -d replaces what changed;\n"
                    "or use tidegate up, which keeps a way back",
                    (Place(path, one.line, note="builds or pulls"),),
                )
                break


def _deployments(project: ProjectFiles) -> Iterator[tuple[str, str, list[shell.Command]]]:
    for path, parsed in scripts.naming(project, "compose"):
        if _meant(path):
            yield path, path, scripts.commands(parsed)
    for path, target, commands in scripts.targets(project):
        if _meant(target):
            yield path, f"{target} in {path}", commands


def _meant(name: str) -> bool:
    return bool(_NAMED.search(name)) and not _NOT.search(name)


def _compose(one: shell.Command) -> list[str]:
    """Return what `docker compose` is told to do, without its own options; [] for other commands."""
    rest = list(one.bare.words)
    if rest[:2] == ["docker", "compose"]:
        rest = rest[2:]
    elif rest[:1] == ["docker-compose"]:
        rest = rest[1:]
    else:
        return []
    while rest and rest[0].startswith("-"):
        takes = rest[0] in ("-f", "--file", "-p", "--project-name", "--env-file", "--profile")
        rest = rest[2:] if takes else rest[1:]
    return rest
