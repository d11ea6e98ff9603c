"""The health check gives up while the container still migrates.

The probe counts its failures from `start_period` on; a container that migrates first answers nobody until it is done, is called unhealthy, and whoever waits for it fails, or something that heals restarts it in the middle of a migration.
Give it a `start_period` longer than its longest migration: failures in that time do not count, and the first success ends it at once.
It is silent where nobody acts on the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Health, Service

SEVERITY = "warning"
ERRORS = (
    r"dependency failed to start: container \S+ is unhealthy",
    r"\bunhealthy\b",
    r"another migration process is currently running",
)
PRINTED = "dependency failed to start: container shop-web-1 is unhealthy"
WHEN = "at the first start, and at every update with a long migration"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["tidegate", "boot", "--", "gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    healthcheck:
      test: ["CMD", "python", "probe.py"]
      interval: 5s
      retries: 3
  proxy:
    image: nginx:1.27
    depends_on:
      web:
        condition: service_healthy
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace(
        "retries: 3\n", "retries: 3\n      start_period: 120s\n"
    ),
}
AT = "compose.yaml:5"
LEAST = 60.0


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield impatient probes of services that migrate at their start."""
    for service in facts.built(project):
        act, health = facts.migrating(project, service), project.health(service)
        if act is None or health is None or health.patience >= LEAST:
            continue
        acting = _acting(project, service)
        if acting is None:
            continue
        yield Problem(
            health.place,
            f"{service.name} migrates before it answers, and is called unhealthy after {health.patience:g} s;"
            f" {acting.name} acts on that.",
            "set start_period longer than your longest migration, such as 120s: the first success ends it at once",
            (act.place, acting.place),
            _mend(project, service, health),
        )


def _acting(project: ProjectFiles, service: Service) -> Service | None:
    for one in project.siblings(service):
        if (
            one.depends_on.get(service.name, ("", None))[0] == "service_healthy"
            or "autoheal" in one.image
        ):
            return one
    return None


def _mend(project: ProjectFiles, service: Service, health: Health) -> tuple[Edit, ...]:
    text = project.read(health.place.path) or ""
    image = project.image(service)
    one = image.healthcheck if image is not None else None
    of_image = one is not None and health.place == one.place
    if health.item is not None and not of_image:
        found = health.item.get("start_period")
        if found is not None:
            return edits.scalar(found, "120s")
        return edits.add_key(health.item, text, "start_period", " 120s")
    if one is None:
        return ()
    old = one.flag("start-period")
    if old:
        new = "--start-period=120s"
        return edits.swap(one.path, text, one.line, f"--start-period={old}", new, one.end_line)
    return edits.swap(one.path, text, one.line, "HEALTHCHECK ", "HEALTHCHECK --start-period=120s ")
