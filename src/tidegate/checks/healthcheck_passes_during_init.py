"""The database's health check passes before the database is there.

While an empty volume is initialised the image runs a temporary server that listens on its Unix socket alone, then stops it and starts the real one.
A probe over the socket is green in that time, and whoever waits for `service_healthy` is refused a moment later.
Ask over TCP: `pg_isready -h 127.0.0.1`, `mysqladmin ping --protocol=tcp`.
It is a warning where scripts or extensions make that time long, and information elsewhere.
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
    r"terminating connection due to administrator command",
    r"Connection refused",
    r"the database system is shutting down",
)
PRINTED = "terminating connection due to administrator command"
WHEN = "at the first start on an empty volume only"
BAD = {
    "compose.yaml": """services:
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
    volumes:
      - ./init:/docker-entrypoint-initdb.d
    healthcheck:
      test: pg_isready -U postgres -d postgres
  web:
    image: example/shop:1.0
    depends_on:
      db:
        condition: service_healthy
""",
    "init/roles.sql": "CREATE ROLE shop;\n",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace("pg_isready -U", "pg_isready -h 127.0.0.1 -U"),
}
AT = "compose.yaml:9"
_CONSOLES = ("pgadmin4", "adminer", "phpmyadmin", "cloudbeaver", "pgweb", "sqlpad")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield probes of a database over its socket, where somebody waits for them."""
    for service in project.services:
        health = service.own_health
        waiting = [
            one for one in project.siblings(service)
            if one.depends_on.get(service.name, ("", None))[0] == "service_healthy"
            and one.repository not in _CONSOLES
        ]  # fmt: skip
        if health is None or not waiting or not _over_socket(service, health):
            continue
        slow = service.repository == "postgis" or any(
            "docker-entrypoint-initdb.d" in one.target for one in service.mounts
        )
        yield Problem(
            health.place,
            f"The health check of {service.name} asks over the socket, where the temporary server of the first start answers too;"
            f" {waiting[0].name} then starts too early.",
            "add -h 127.0.0.1 to pg_isready"
            if facts.is_postgres(service)
            else "add --protocol=tcp to mysqladmin ping",
            (waiting[0].place_of("depends_on"),),
            _mend(project, health),
            "" if slow else "info",
        )


def _over_socket(service: Service, health: Health) -> bool:
    words = health.shell.split()
    if facts.is_postgres(service) and "pg_isready" in health.shell:
        hosts = [word for word in words if word.startswith(("-h", "--host"))]
        return not hosts and "PGHOST" not in service.environment
    if facts.is_mysql(service) and "mysqladmin" in health.shell:
        return (
            not any(word.startswith(("-h", "--host", "--protocol")) for word in words)
            and "127.0.0.1" not in health.shell
        )
    return False


def _mend(project: ProjectFiles, health: Health) -> tuple[Edit, ...]:
    text = project.read(health.place.path) or ""
    item = health.item.get("test") if health.item is not None else None
    if item is None:
        return ()
    if health.words[:1] == ("CMD",):
        return edits.within(
            item, text, '"pg_isready"', '"pg_isready", "-h", "127.0.0.1"'
        ) or edits.within(item, text, "'pg_isready'", "'pg_isready', '-h', '127.0.0.1'")
    return edits.within(item, text, "pg_isready", "pg_isready -h 127.0.0.1")
