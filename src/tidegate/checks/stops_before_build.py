"""A deployment stops what runs before the new release is there.

Between `docker compose down` and the end of the build or pull nobody serves; and when that fails, the old release is gone as well.
Build or pull first, then let `docker compose up -d` replace what changed; or let `tidegate up` do it, which keeps the old image for the way back.
It is silent in scripts that throw the volumes away: those make a development stack anew.
"""

from __future__ import annotations

from collections.abc import Iterable

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
_BUILDS = ("build", "pull")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield `compose down` or `stop` before the build or the pull of the same deployment."""
    for path, name, commands in scripts.deployments(project):
        stopped: shell.Command | None = None
        for one in commands:
            said = scripts.compose_words(one)
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
