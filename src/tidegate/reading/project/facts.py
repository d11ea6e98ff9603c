"""Questions that many checks ask of a project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tidegate.reading.project import words
from tidegate.reading.project.acts import Act
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.pycode import UNKNOWN
from tidegate.reading.project.service import Given, Service

POSTGRES = (
    "postgres",
    "postgis",
    "timescaledb",
    "timescaledb-ha",
    "pgvector",
    "postgresql",
    "pgvecto-rs",
)
MYSQL = ("mysql", "mariadb", "mysql-server", "percona")
BROKERS = ("redis", "valkey", "rabbitmq", "keydb", "dragonfly", "redis-stack", "memcached")
POOLERS = re.compile(r"pgbouncer|pgcat|supavisor|odyssey|pgpool")
_URL = re.compile(
    r"^(?P<scheme>[a-z][\w+.-]*)://(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?(?P<host>\[[^\]]+\]|[^:/?#@]*)(?::(?P<port>\d+))?(?P<rest>[/?#].*)?$",
    re.S,
)
DATABASE_SCHEMES = ("postgres", "postgresql", "postgis", "mysql", "mariadb", "pgsql", "psql")
BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps", "valkey")
PYTHON_SERVERS = (
    "gunicorn",
    "uvicorn",
    "daphne",
    "granian",
    "hypercorn",
    "uwsgi",
    "waitress-serve",
)
LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True)
class Url:
    """A connection as a variable gives it."""

    scheme: str
    user: str
    password: str
    host: str
    port: str
    rest: str
    given: Given

    @property
    def dialect(self) -> str:
        """The scheme without its driver."""
        return self.scheme.split("+")[0]


def parsed(text: str) -> dict[str, str] | None:
    """Return the parts of a connection's URL, and its dialect; None where it is none."""
    found = _URL.match(text)
    if not found:
        return None
    part = {key: value or "" for key, value in found.groupdict().items()}
    return {**part, "dialect": part["scheme"].split("+")[0]}


def url(given: Given) -> Url | None:
    """Return a variable's value as a connection; None where it is none."""
    part = parsed(given.value or "")
    if part is None:
        return None
    return Url(
        part["scheme"],
        unquote(part["user"]),
        part["password"],
        part["host"],
        part["port"],
        part["rest"],
        given,
    )


def values(service: Service, project: ProjectFiles) -> dict[str, Any]:
    """Return the variables that the process will see, those of the image below its own.

    UNKNOWN stands for what only the user's machine can tell.
    """
    image = project.image(service)
    out: dict[str, Any] = dict(image.environ) if image else {}
    for name, given in service.environment.items():
        out[name] = UNKNOWN if given.unknown else given.value or ""
    if not service.all_env_files_there:
        return Hidden(out)
    return out


class Hidden(dict[str, Any]):
    """Variables of which some come from a file that is not here: every other name is UNKNOWN."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return UNKNOWN


def loads_settings(project: ProjectFiles, service: Service) -> bool:
    """Whether a service runs the project's Django: it manages, serves, or works on a queue."""
    if project.image(service) is None:
        return False
    return any(
        words.manage(act.words)
        or words.is_worker(act.words)
        or words.program(act.words) in PYTHON_SERVERS
        for act in project.start(service).acts
    )


def is_postgres(service: Service) -> bool:
    """Whether it runs a PostgreSQL server from a known image."""
    return service.repository in POSTGRES and not POOLERS.search(service.image)


def is_mysql(service: Service) -> bool:
    """Whether it runs MySQL or MariaDB."""
    return service.repository in MYSQL


def is_database(service: Service) -> bool:
    """Whether it runs a database server."""
    return is_postgres(service) or is_mysql(service)


def databases(project: ProjectFiles, service: Service) -> list[Service]:
    """Return the database servers of a service's stack."""
    return [one for one in project.siblings(service) if is_database(one)]


def built(project: ProjectFiles) -> Iterator[Service]:
    """Yield the services whose image is built from a Dockerfile that we can read."""
    for service in project.services:
        if project.image(service) is not None:
            yield service


def migrating(project: ProjectFiles, service: Service) -> Act | None:
    """Return the command by which a service applies migrations at its start."""
    start = project.start(service)
    act = start.first(words.migrates)
    if act is not None:
        return act
    gate = start.first(lambda one: words.program(one) == "tidegate" and "boot" in one)
    if gate is None:
        return None
    flags = " ".join(gate.words)
    given = service.environment.get("MIGRATE_ON_START")
    off = given is not None and (given.value or "").lower() in ("0", "false", "no", "off")
    serving = re.search(r"--when-behind[ =](wait|serve|fail)", flags)
    wanted = "--when-behind migrate" in flags or "--when-behind=migrate" in flags
    return None if serving or (off and not wanted) else gate


def main_of(project: ProjectFiles, service: Service) -> Act | None:
    """Return the process that stays."""
    return next((act for act in project.start(service).acts if act.main), None)


def developing(project: ProjectFiles, service: Service) -> bool:
    """Whether nothing but a development server runs there, which reads changed code anew."""
    servers = [one.words for one in project.start(service).acts if words.serves(one.words)]
    return bool(servers) and all(
        words.manage(one).startswith("runserver") or "--reload" in one for one in servers
    )


def one_shot(project: ProjectFiles, service: Service) -> bool:
    """Whether its command ends by itself: it migrates or collects, and serves nothing."""
    acts = project.start(service).acts
    if not acts or (project.image(service) is None and not service.words("command")):
        return False
    last = acts[-1].words
    ends = words.migrates(last) or words.collects(last) or words.makes_migrations(last)
    return ends and not any(words.serves(act.words) or words.is_worker(act.words) for act in acts)


def waits_for(project: ProjectFiles, service: Service, wanted: Service) -> bool:
    """Whether `depends_on` holds it, directly or over others, until `wanted` is healthy or done.

    What it depends on at all is started first, which in turn waits for what that depends on.
    """
    by_name = {one.name: one for one in project.siblings(service)}
    todo, seen = [service], {service.name}
    while todo:
        one = todo.pop()
        for name, (condition, _) in one.depends_on.items():
            if name == wanted.name and condition != "service_started":
                return True
            if name not in seen and name in by_name:
                seen.add(name)
                todo.append(by_name[name])
    return False


def container_path(project: ProjectFiles, service: Service, value: object) -> str:
    """Return a settings path as the container sees it; empty where it can't be told."""
    image = project.image(service)
    if not isinstance(value, str) or not value or image is None:
        return ""
    if value.startswith("/@/"):
        path = value[3:].strip("/")
        return _from_mount(project, service, path) or _from_source(project, image, path)
    return image.absolute(value)


def _from_mount(project: ProjectFiles, service: Service, path: str) -> str:
    """Return where a path lies below the project's own folder, if that is where the app starts."""
    for mount in service.mounts:
        top = mount.kind == "bind" and mount.source in (".", "") and mount.target not in ("", "/")
        started = (act.words for act in project.start(service).acts)
        if top and any(one.startswith(mount.target + "/") for words in started for one in words):
            return f"{mount.target}/{path}"
    return ""


def _from_source(project: ProjectFiles, image: Image, path: str) -> str:
    """Return where a path of the project lies in the image, told by files that are copied there."""
    settings = project.settings
    files = [project.manage, *(one.path for one in settings.modules)] if settings else []
    for file in files:
        landed = image.copied_to(file) if file else ""
        folder = file.rpartition("/")[0]
        if landed and landed.endswith("/" + file):
            return landed[: -len(file)] + path
        tail = file[len(folder) :]
        if landed and folder and path.startswith(folder + "/") and landed.endswith(tail):
            return landed[: -len(tail)] + path[len(folder) :]
    return ""


def floating(tag: str) -> bool:
    """Whether a tag names no version."""
    return not re.search(r"\d", tag) or tag in ("latest", "stable", "edge", "main", "master")


def major(tag: str) -> int:
    """Return the leading number of a tag; 0 where there is none."""
    found = re.match(r"v?(\d+)", tag) or re.search(r"pg(\d+)", tag)
    return int(found[1]) if found else 0


def named(service: Service) -> str:
    """Return how messages call a service."""
    return f"service {service.name}"
