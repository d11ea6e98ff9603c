"""`pg_isready` asks as a user that the server does not have.

Without `-U` it asks as the container's user, root, and the server's log fills with a FATAL line at every probe.
The probe itself stays green, so this is noise that hides real errors.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "info"
ERRORS = (r'FATAL:\s+role "root" does not exist', r'FATAL:\s+role "\w+" does not exist')
PRINTED = 'FATAL:  role "root" does not exist'
WHEN = "at every run of the probe, in the database's log"
BAD = {
    "compose.yaml": """services:
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -h 127.0.0.1"]
"""
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("-h 127.0.0.1", "-h 127.0.0.1 -U postgres")}
AT = "compose.yaml:7"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield probes of PostgreSQL that name no user."""
    for service in project.services:
        health = service.own_health
        if health is None or not facts.is_postgres(service) or "pg_isready" not in health.shell:
            continue
        named = any(
            word.startswith(("-U", "--username", "-d", "--dbname")) for word in health.shell.split()
        )
        if named or "PGUSER" in service.environment or service.text("user"):
            continue
        if health.words[0] == "CMD-SHELL" and len(health.words) > 2:
            continue
        item = health.item.get("test") if health.item is not None else None
        user = service.environment.get("POSTGRES_USER")
        said = (
            user.value if user and user.value and user.item and "$" not in user.item.raw else ""
        ) or "postgres"
        said = (
            "$$POSTGRES_USER"
            if user and said == "postgres" and health.words[0] == "CMD-SHELL"
            else said
        )
        text = project.read(health.place.path) or ""
        shell = health.words[0] == "CMD-SHELL"
        yield Problem(
            health.place,
            f"The health check of {service.name} asks as user root, which PostgreSQL does not have: a FATAL line at every probe.",
            f"add -U {said}",
            (user.place if user is not None else service.place_of("image"),),
            edits.within(item, text, "pg_isready", f"pg_isready -U {said}")
            if item is not None and shell
            else (),
        )
