"""A server that is restarted for ever has no health check.

`docker compose up --wait` then waits for "running" alone, and says so of a container that crashes and restarts every two seconds; nothing else can wait for it either.
Give the service or its image a health check that asks the app itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts, words
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "info"
ERRORS = (r"Restarting \(\d+\)",)
PRINTED = "Restarting (1) 2 seconds ago"
WHEN = "never: `up --wait` ends with 0 while the container crashes"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    restart: unless-stopped\n",
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace(
        "CMD",
        'HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen(\'http://127.0.0.1:8000/\')"]\nCMD',
    ),
}
AT = "compose.yaml:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield servers with a restart policy and without a probe."""
    for service in facts.built(project):
        main = facts.main_of(project, service)
        stays = service.restart in ("always", "unless-stopped", "on-failure", "any")
        if (
            main is None
            or not words.serves(main.words)
            or not stays
            or project.health(service) is not None
        ):
            continue
        if service.health_disabled or words.manage(main.words):
            continue
        yield Problem(
            service.place,
            f"{service.name} has no health check: `up --wait` calls it well even while it crashes again and again.",
            "add a healthcheck that asks the app itself",
            (main.place,) if main.place.path != service.place.path else (),
        )
