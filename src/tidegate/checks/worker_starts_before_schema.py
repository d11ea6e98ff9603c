"""A worker starts while another service still migrates.

The worker waits for the database and the broker, and the schema comes later: its first jobs, or its own start, meet tables and columns that are not there yet.
Let it wait for the migrating service (`service_healthy`, or `service_completed_successfully` for a one-shot), or start it with `tidegate boot --when-behind wait -- COMMAND`.
It is silent where the worker migrates itself or asks for the schema at its start.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (
    r"relation \"?[\w.]+\"? does not exist",
    r"column (\"?[\w.]+\"? )?does not exist",
    r"no such (table|column)",
    r"Table '[\w.]+' doesn't exist",
)
PRINTED = 'django.db.utils.ProgrammingError: relation "mail_mail" does not exist'
WHEN = "at the first start, and at every update that brings a migration"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["tidegate", "boot", "--", "gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    healthcheck:
      test: ["CMD", "python", "probe.py"]
      start_period: 120s
  worker:
    build: .
    command: celery -A shop worker
    depends_on:
      db:
        condition: service_healthy
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
    healthcheck:
      test: ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres"]
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace(
        "    depends_on:\n      db:",
        "    depends_on:\n      web:\n        condition: service_healthy\n      db:",
    ),
}
AT = "compose.yaml:9"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield workers that nothing holds until the schema is there."""
    for service in facts.built(project):
        main = facts.main_of(project, service)
        if main is None or not words.is_worker(main.words) or _asks(project, service):
            continue
        raising = [
            (one, act) for one in project.siblings(service)
            if one is not service and (act := facts.migrating(project, one)) and _same_code(service, one)
        ]  # fmt: skip
        if not raising or any(facts.waits_for(project, service, one) for one, _ in raising):
            continue
        other, act = raising[0]
        done = facts.one_shot(project, other)
        condition = "service_completed_successfully" if done else "service_healthy"
        yield Problem(
            main.place,
            f"{service.name} starts while {other.name} still migrates: its first jobs meet the old schema, or none.",
            f"depends_on {other.name} with condition: {condition},\n"
            "or start it with `tidegate boot --when-behind wait -- COMMAND`",
            (act.place,),
            _mend(project, service, other, condition),
        )


def _asks(project: ProjectFiles, service: Service) -> bool:
    start = project.start(service)
    return start.does(words.migrates) or any(
        words.program(act.words) == "tidegate"
        or ("migrate" in act.words and "--check" in act.words)
        or "wait_for_migrations" in act.words
        or "check-migrations" in act.words
        for act in start.acts
    )


def _same_code(one: Service, other: Service) -> bool:
    return (
        one.build is None
        or other.build is None
        or one.build[0] == other.build[0]
        or one.image == other.image
    )


def _mend(
    project: ProjectFiles, service: Service, other: Service, condition: str
) -> tuple[Edit, ...]:
    found = service.get("depends_on")
    ready = condition != "service_healthy" or project.health(other) is not None
    if (
        found is None
        or found.path != service.item.path
        or not ready
        or other.name in service.depends_on
    ):
        return ()
    text = project.read(found.path) or ""
    return edits.add_key(found, text, other.name, f"\n  condition: {condition}")
