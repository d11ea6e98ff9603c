"""The program that dumps the database is older than the server.

pg_dump refuses a server of a later major version: the backup fails, on the day on which the server was upgraded, and the update that wanted a backup first fails with it.
Take the version of the server, or dump in the server's own container: `docker compose exec db pg_dump`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts, scripts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (r"server version mismatch", r"pg_dump version: \d+[\s\S]*server version: \d+")
PRINTED = "pg_dump: error: aborting because of server version mismatch"
WHEN = "at every backup"
BAD = {
    "compose.yaml": """services:
  backup:
    image: prodrigestivill/postgres-backup-local:14
    environment:
      POSTGRES_HOST: db
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
"""
}
GOOD = {"compose.yaml": BAD["compose.yaml"].replace("local:14", "local:16")}
AT = "compose.yaml:3"
# Images whose tags are PostgreSQL's versions; those of others are versions of their own.
_DUMPERS = re.compile(
    r"prodrigestivill/postgres-backup-local|kartoza/pg-backup|eeshugerman/postgres-backup-s3"
)
# What the package without a version is, where the base image's tag names its distribution.
_DISTRIBUTIONS = {"buster": 11, "bullseye": 13, "bookworm": 15, "trixie": 17, "focal": 12,
                  "jammy": 14, "noble": 16}  # fmt: skip
_CLIENT = re.compile(r"postgresql-?client-(\d+)|postgresql(\d+)-client")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield images whose pg_dump is older than the stack's server."""
    for stack in project.stacks:
        services = [one for one in project.services if one.stack is stack]
        servers = [one for one in services if facts.is_postgres(one) and facts.major(one.tag)]
        if len(servers) != 1:
            continue
        server = servers[0]
        version = facts.major(server.tag)
        for service in services:
            for tool, place in _tools(project, service, server):
                if 0 < tool < version:
                    yield Problem(
                        place,
                        f"pg_dump {tool} of {service.name} refuses {server.name}, which is PostgreSQL {version}.",
                        f"take version {version}, or dump in the server's own container:\n"
                        f"docker compose exec {server.name} pg_dump",
                        (server.place_of("image"),),
                        _mend(project, service, place, tool, version),
                    )


def _mend(
    project: ProjectFiles, service: Service, place: Place, tool: int, version: int
) -> tuple[Edit, ...]:
    """Take the server's version, where the image's tag is PostgreSQL's."""
    item = service.get("image")
    if item is None or item.place != place or item.holes:
        return ()
    return edits.within(item, project.read(item.path) or "", f":{tool}", f":{version}")


def _tools(project: ProjectFiles, service: Service, server: Service) -> Iterator[tuple[int, Place]]:
    image = project.image(service)
    if image is None:
        said = (*(service.words("command") or ()), *(service.words("entrypoint") or ()))
        dumps = facts.is_postgres(service) and any("pg_dump" in word for word in said)
        if service is not server and (dumps or _DUMPERS.search(service.image)):
            yield facts.major(service.tag), service.place_of("image")
        return
    installed = list(_installed(image))
    if installed and _dumps(project):
        yield from installed


def _dumps(project: ProjectFiles) -> bool:
    """Whether a script of the project calls pg_dump as its own program, not in another container."""
    for _, parsed in scripts.naming(project, "pg_dump"):
        called = (one.bare.name.rpartition("/")[2] for one in scripts.commands(parsed))
        if "pg_dump" in called:
            return True
    return any(
        "pg_dump" in (project.read(path) or "")
        for path in project.paths
        if path.endswith(".py") and "backup" in path.lower() and "test" not in path
    )


def _installed(image: Image) -> Iterator[tuple[int, Place]]:
    for run in image.runs:
        for one in run.script.flat():
            if not {"install", "add"} & set(one.words):
                continue
            for word in one.words[1:]:
                found = _CLIENT.match(word)
                version = int(found[1] or found[2]) if found else 0
                if word == "postgresql-client":
                    version = next(
                        (n for name, n in _DISTRIBUTIONS.items() if name in image.base), 0
                    )
                if version:
                    yield version, run.place(one)
