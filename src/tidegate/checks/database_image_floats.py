"""The database's image has no version, and its volume does.

A server of a new major version does not open the files of the old one: the day the tag moves, or the image is pulled on another machine, the database refuses to start.
Name the major version (`postgres:16`), and move on with a dump when you choose to.
It is silent where no volume keeps the data.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (
    r"database files are incompatible with server",
    r"The data directory was initialized by PostgreSQL version",
    r"InnoDB: Upgrade after a crash is not supported",
    r"Cannot upgrade from \d+ to \d+|Invalid MySQL server upgrade",
)
PRINTED = "FATAL:  database files are incompatible with server"
WHEN = "at the first start after a pull that brings a new major version"
BAD = {
    "compose.yaml": """services:
  db:
    image: postgres
    environment:
      POSTGRES_PASSWORD: shop
    volumes:
      - db:/var/lib/postgresql
volumes:
  db:
"""
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("image: postgres", "image: postgres:18")}
AT = "compose.yaml:3"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield database services with a floating tag and a volume."""
    for service in project.services:
        item = service.get("image")
        if (
            item is None
            or not facts.is_database(service)
            or "@" in service.image
            or "$" in item.raw
        ):
            continue
        kept = [
            one
            for one in service.mounts
            if one.kind in ("volume", "bind") and "/var/lib/" in one.target + "/"
        ]
        if not facts.floating(service.tag) or not kept:
            continue
        version, printed = _known(service)
        yield Problem(
            item.place,
            f"{service.name} runs whatever {service.image} is today, on files that one version wrote.",
            f"name the major version, such as {service.repository}:{version},"
            " and that which the volume has",
            (kept[0].item.place,),
            printed=printed,
        )


def _known(service: Service) -> tuple[str, str]:
    """Return a version to write, and what a server prints over the files of another."""
    if facts.is_postgres(service):
        return "17", PRINTED
    if service.repository == "mariadb":  # it opens older files, and no newer ones
        return "11.4", "InnoDB: Upgrade after a crash is not supported."
    return "8.4", "Invalid MySQL server upgrade: Cannot upgrade from 50700 to 80400."
