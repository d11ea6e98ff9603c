"""The app logs in with other words than the database was made with.

The image of PostgreSQL makes one user, with one password and one database, from `POSTGRES_USER`, `POSTGRES_PASSWORD` and `POSTGRES_DB` of its own container.
What the app sends stands in another place: a URL, variables of its settings, alembic.ini; where the two differ, the server refuses every login.
Give both the same, from one variable.
It is silent where a value is not known, where the server mounts scripts that make users or databases, where it trusts everybody, and for a database that something of the project creates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"password authentication failed for user",
    r"database \"[^\"\n]+\" does not exist",
    r"role \"[^\"\n]+\" does not exist",
)
PRINTED = 'FATAL:  password authentication failed for user "shop"'
WHEN = "at every login, on a volume that the server has made anew"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["uvicorn", "shop:app"]\n',
    ".env": "DB_PASSWORD=one\n",
    "compose.yaml": """services:
  web:
    build: .
    environment:
      DATABASE_URL: postgresql://shop:${DB_PASSWORD}@db/shop
  db:
    image: postgres:16
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD: two
""",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].replace("D: two", "D: ${DB_PASSWORD}")}
AT = "compose.yaml:5"
_OF_ITS_OWN = ("postgres", "template0", "template1")
_CREATES = re.compile(
    r"createdb|create_?database|create_db|createuser|CREATE (DATABASE|ROLE|USER)", re.I
)


@dataclass(frozen=True)
class Login:
    """What somebody sends to a server; empty where it is not known."""

    host: str
    user: str
    password: str
    name: str
    place: Place


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield logins that the server of the same stack was not made for."""
    for service in facts.built(project):
        servers = [
            one for one in project.siblings(service) if facts.is_postgres(one) and _plain(one)
        ]
        for login in _logins(project, service) if servers else ():
            for server in servers:
                found = _refused(project, service, login, server)
                if login.host in server.names and found is not None:
                    yield found


def _plain(server: Service) -> bool:
    """Whether its image makes user and database by its variables alone, and those are known."""
    trust = server.environment.get("POSTGRES_HOST_AUTH_METHOD")
    scripts = any("initdb.d" in one.target for one in server.mounts)
    own = server.build is not None or bool(server.words("entrypoint"))
    known = all(
        not given.unknown and not name.endswith("_FILE")
        for name, given in server.environment.items()
        if name.startswith("POSTGRES_")
    )
    return known and not (scripts or own or trust) and server.all_env_files_there


def _refused(
    project: ProjectFiles, service: Service, login: Login, server: Service
) -> Problem | None:
    """Return the first thing that the server does not have."""
    made = {name: given.value or "" for name, given in server.environment.items()}
    user = made.get("POSTGRES_USER") or "postgres"
    password, name = made.get("POSTGRES_PASSWORD", ""), made.get("POSTGRES_DB") or user
    who = f'{service.name} logs in to {server.name} as "{login.user}"'
    creating = _creates(project, service)
    if login.user and login.user != user:
        what, variable = f'{who}, and {server.name} makes the user "{user}".', "POSTGRES_USER"
    elif login.user and login.password and password and login.password != password:
        what = f"{who}, with another password than {server.name} is made with."
        variable = "POSTGRES_PASSWORD"
    elif login.name and login.name not in (name, *_OF_ITS_OWN):
        what = f'{service.name} asks {server.name} for the database "{login.name}", and it makes "{name}".'
        variable = "POSTGRES_DB"
    else:
        return None
    if variable != "POSTGRES_PASSWORD" and creating:
        return None
    given = server.environment.get(variable)
    said = f'database "{login.name}" does not exist' if variable == "POSTGRES_DB" else (
        f'password authentication failed for user "{login.user}"')  # fmt: skip
    return Problem(
        login.place,
        what,
        f"give both the same, from one variable of .env: {variable} of {server.name}, and what {service.name} sends",
        (given.place if given is not None else server.place,),
        printed=f"FATAL:  {said}",
    )


def _logins(project: ProjectFiles, service: Service) -> Iterator[Login]:
    """Yield what a service sends: by URLs in its variables, its settings, or its alembic.ini."""
    for given in service.environment.values():
        found = facts.url(given) if not given.unknown else None
        if found is not None and found.dialect in facts.DATABASE_SCHEMES:
            yield _of_url(found.user, found.password, found.host, found.rest, given.place)
    yield from _of_settings(project, service)
    if facts.migrating(project, service) is None:
        return
    for one in project.alembics:
        part = facts.parsed(one.url) if one.takes_ini_url else None
        if part is not None and part["dialect"] in facts.DATABASE_SCHEMES and "%(" not in one.url:
            yield _of_url(
                unquote(part["user"]), part["password"].replace("%%", "%"), part["host"],
                part["rest"], Place(one.ini, one.url_line),
            )  # fmt: skip


def _of_url(user: str, password: str, host: str, rest: str, place: Place) -> Login:
    name = re.split(r"[?#]", rest.lstrip("/"))[0]
    return Login(host, user, unquote(password), unquote(name), place)


def _of_settings(project: ProjectFiles, service: Service) -> Iterator[Login]:
    settings = project.settings_for(service)
    if (
        settings is None
        or settings.conditional("DATABASES")
        or not facts.loads_settings(project, service)
    ):
        return
    value = settings.value("DATABASES", facts.values(service, project))
    one = value.get("default") if isinstance(value, dict) else None
    if not isinstance(one, dict) or not str(one.get("ENGINE", "")).endswith(
        ("postgresql", "postgis")
    ):
        return
    parts = [one.get(key) for key in ("HOST", "USER", "PASSWORD", "NAME")]
    host, user, password, name = (part if isinstance(part, str) else "" for part in parts)
    if host:
        yield Login(host, user, password, name, Place(*settings.line("DATABASES")))


def _creates(project: ProjectFiles, service: Service) -> bool:
    """Whether something that runs in the stack may make users or databases."""
    for one in project.siblings(service):
        start = project.start(one)
        texts = [" ".join(act.words) for act in start.acts]
        texts += [use.parsed.text for use in start.scripts]
        if any(map(_CREATES.search, texts)):
            return True
    return False
