"""The database image gets no password to begin with.

On an empty volume the images of PostgreSQL, MySQL and MariaDB refuse to start without one.
A password in `.env` alone does not reach the container: that file only fills in `${…}` of the Compose file.
It is silent where a file gives it, where trust or a random password is asked for, where the command is no server's, and where an env_file is not there to be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"Database is uninitialized and (superuser )?password( option)? is not specified",
    r"You need to specify one of the following as an environment variable",
)
PRINTED = "Error: Database is uninitialized and superuser password is not specified."
WHEN = "at the first start on an empty volume"
BAD = {
    ".env": "POSTGRES_PASSWORD=shop\n",
    "compose.yaml": "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_USER: shop\n",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"] + "      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}\n",
}
AT = "compose.yaml:3"
_POSTGRES: tuple[str, ...] = ("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE")
_MYSQL = ("ROOT_PASSWORD", "ROOT_PASSWORD_FILE", "ALLOW_EMPTY_PASSWORD", "ALLOW_EMPTY_ROOT_PASSWORD",
          "RANDOM_ROOT_PASSWORD", "ROOT_PASSWORD_HASH")  # fmt: skip


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield database services without a first password."""
    for service in project.services:
        official = "/" not in service.image or service.repository in (
            "postgis",
            "timescaledb",
            "pgvector",
        )
        if (
            not facts.is_database(service)
            or not official
            or _given(service)
            or not service.all_env_files_there
        ):
            continue
        if (
            service.build is not None
            or service.words("entrypoint") is not None
            or not _serves(service)
            or service.stack.problems
        ):
            continue
        name = "POSTGRES_PASSWORD" if facts.is_postgres(service) else "MYSQL_ROOT_PASSWORD"
        variable = service.stack.variables.get(name)
        yield Problem(
            service.place_of("image"),
            f"{service.name} gets no {name}: its image does not start on an empty volume without it.",
            f"give it under environment: {name}: ${{{name}:?set it in .env}}",
            (Place(service.stack.env_file, variable.line, note="only fills in the Compose file"),)
            if variable
            else (),
            _mend(project, service, name),
        )


def _serves(service: Service) -> bool:
    """Whether its command is the server's: another one, such as psql, makes no database."""
    command = service.words("command") or ()
    first = command[0].rpartition("/")[2] if command else ""
    return not first or first.startswith("-") or first in ("postgres", "mysqld", "mariadbd")


def _given(service: Service) -> bool:
    if facts.is_postgres(service):
        trust = service.environment.get("POSTGRES_HOST_AUTH_METHOD")
        names: tuple[str, ...] = _POSTGRES
        if trust is not None and trust.value == "trust":
            return True
    else:
        names = tuple(f"{head}_{tail}" for head in ("MYSQL", "MARIADB") for tail in _MYSQL)
    for name in names:
        given = service.environment.get(name)
        if given is not None and (
            given.value or (given.item is not None and "$" in given.item.raw) or given.value is None
        ):
            return True
    return False


def _mend(project: ProjectFiles, service: Service, name: str) -> tuple[Edit, ...]:
    text = project.read(service.item.path) or ""
    value = f"${{{name}:?set it in .env}}"
    found = service.get("environment")
    if found is None:
        return edits.add_key(service.item, text, "environment", f"\n  {name}: {value}")
    if found.path != service.item.path or not found.entries:
        return ()
    return edits.add_key(found, text, name, " " + value)
