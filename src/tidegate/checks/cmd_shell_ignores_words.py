"""A health check in list form begins with CMD-SHELL and has more than one word behind it.

`CMD-SHELL` takes one string; further items of the list become `$0`, `$1`, … of the shell and are never part of the command.
`["CMD-SHELL", "pg_isready", "-U", "shop"]` runs plain `pg_isready`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (r'FATAL:\s+role "root" does not exist',)
PRINTED = 'FATAL:  role "root" does not exist'
WHEN = "at every run of the probe, in the database's log"
BAD = {
    "compose.yaml": """services:
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
    healthcheck:
      test: ["CMD-SHELL", "pg_isready", "-U", "shop", "-d", "shop"]
"""
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("CMD-SHELL", "CMD")}
AT = "compose.yaml:7"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield CMD-SHELL lists with more than one further item."""
    for service in project.services:
        health = service.own_health
        if health is None or health.words[:1] != ("CMD-SHELL",) or len(health.words) < 3:
            continue
        dropped = " ".join(health.words[2:])
        yield Problem(
            health.place,
            f"The health check of {service.name} runs `{health.words[1]}` alone: CMD-SHELL ignores `{dropped}`.",
            f"write CMD in place of CMD-SHELL, or one string: {shlex.join(health.words[1:])}",
            (),
            _mend(project, health.place.path, health.item),
        )


def _mend(project: ProjectFiles, path: str, healthcheck: object) -> tuple[Edit, ...]:
    test = getattr(healthcheck, "get", lambda _: None)("test")
    if test is None or not test.items:
        return ()
    first = test.items[0]
    text = project.read(path) or ""
    return (
        Edit(
            path, first.start, first.end, text[first.start : first.end].replace("CMD-SHELL", "CMD")
        ),
    )
