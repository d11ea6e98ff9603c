"""Where a service looks for its databases and brokers: its variables, or its own code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.model.finding import Place
from tidegate.reading.project import celeryfiles, facts
from tidegate.reading.project.alembicfiles import Alembic
from tidegate.reading.project.loaded import Loaded
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.pycode import UNKNOWN
from tidegate.reading.project.service import Given, Service

_HOST = re.compile(
    r"^(\w+_)?(PG|DB|DATABASE|POSTGRES|POSTGRESQL|SQL|MYSQL|MARIADB|REDIS|BROKER|RABBITMQ|CACHE|VALKEY)_?(\w+_)?HOST(NAME)?$"
)


@dataclass(frozen=True)
class Host:
    """A host that a service's variables or settings name for a database or broker."""

    host: str
    port: str
    place: Place
    name: str
    broker: bool
    given: Given | None = None
    scheme: str = ""
    reads: str = ""  # the variable that the code takes it from, where there is one


def hosts(project: ProjectFiles, service: Service) -> list[Host]:
    """Return the databases and brokers that a service is told to use."""
    out: list[Host] = []
    for given in service.environment.values():
        found = facts.url(given)
        if found is not None and found.dialect in facts.DATABASE_SCHEMES + facts.BROKER_SCHEMES:
            broker = found.dialect in facts.BROKER_SCHEMES
            out.append(Host(found.host, found.port, given.place, given.name, broker, given))
        elif _HOST.match(given.name) and given.value and "://" not in given.value:
            broker = bool(re.search("REDIS|BROKER|RABBIT|CACHE|VALKEY", given.name))
            out.append(
                Host(
                    given.value,
                    port_beside(service, given.name),
                    given.place,
                    given.name,
                    broker,
                    given,
                )
            )
    loaded = project.loaded_of(service)
    if loaded is not None and (loaded.decides or loaded.logins):
        return [*_loaded(project, service, loaded, out), *_brokers(project, service)]
    given_names = [one.name for one in out if not one.broker]
    if not given_names or _deaf(project, service, given_names):
        out += _from_settings(project, service)
        out += _from_alembic(project, service, given_names)
    return [*out, *_brokers(project, service)]


def _loaded(
    project: ProjectFiles, service: Service, loaded: Loaded, given: Sequence[Host]
) -> list[Host]:
    """Return the hosts that the loaded configuration uses, each with the variable that gives it.

    A variable whose host the configuration does not use is nobody's.
    """
    found = _from_settings(project, service) if loaded.decides else _from_login(project, loaded)
    used = {one.host for one in found}
    kept = [one for one in given if one.broker or one.host in used]
    named = {one.host for one in kept if not one.broker}
    return [*kept, *(one for one in found if one.host not in named)]


def _from_login(project: ProjectFiles, loaded: Loaded) -> list[Host]:
    """Return where env.py connects to, at the line of alembic.ini or env.py that says so."""
    out = []
    for login in loaded.logins:
        for one in project.alembics[:1]:
            inside = facts.parsed(one.url)
            by_ini = inside is not None and inside["host"] == login.host
            place = Place(one.ini, one.url_line) if by_ini else _engine_line(one)
            host = login.host or "localhost"
            if login.vendor != "sqlite":
                out.append(Host(host, login.port, place, "sqlalchemy.url", False))
    return out


def _engine_line(one: Alembic) -> Place:
    """Return the line of env.py that makes the engine."""
    lines = one.module.text.split("\n") if one.module is not None else []
    made = (n for n, line in enumerate(lines, 1) if re.search(r"engine\w*\(", line))
    return Place(one.env or one.ini, next(made, 1))


def _brokers(project: ProjectFiles, service: Service) -> list[Host]:
    if "CELERY_BROKER_URL" in service.environment:  # Celery itself reads it, before all else
        return []
    return _from_celery(project, service)


# Settings that take their databases from elsewhere, or change them later.
PARSED = re.compile(
    r"dj_database_url|\benv\.(db|db_url)\(|django_configurations|DatabaseURLValue"
    r"|\bDATABASES\s*(\[|\.update|\|=)|locals\(\)|globals\(\)|exec\("
)


def _from_celery(project: ProjectFiles, service: Service) -> list[Host]:
    """Return the broker that a worker's own code names."""
    out = []
    for act in celeryfiles.acts(project, service):
        app = celeryfiles.of(project, act)
        if app is None:
            continue
        known = facts.values(service, project)
        found = celeryfiles.setting(project, app, service, "broker_url", known)
        part = facts.parsed(found.value) if found and isinstance(found.value, str) else None
        if found is not None and part is not None and part["dialect"] in facts.BROKER_SCHEMES:
            out.append(Host(part["host"], part["port"], found.place, "broker_url", True,
                            scheme=part["dialect"]))  # fmt: skip
    return out


_TAKES = re.compile(
    r"environ|getenv|set_main_option|set_section_option|[Ss]ettings|_url\("
    r"|(?<!from_)(?<!file)[Cc]onfig\("
)


def _from_alembic(project: ProjectFiles, service: Service, names: Sequence[str]) -> list[Host]:
    """Return the host of alembic.ini where env.py has nothing else to go by."""
    if project.manage or facts.migrating(project, service) is None:
        return []
    image = project.image(service)
    out = []
    for one in project.alembics:
        code = one.module.code if one.module is not None else ""
        if not one.url or not code or _TAKES.search(code) or any(name in code for name in names):
            continue
        found = facts.parsed(one.url)
        if found is None or image is None or not image.copied_to(one.ini):
            continue
        place = Place(one.ini, one.url_line)
        if found["dialect"] in facts.DATABASE_SCHEMES:
            out.append(Host(found["host"], found["port"], place, "sqlalchemy.url", False))
    return out


def _deaf(project: ProjectFiles, service: Service, names: Sequence[str]) -> bool:
    """Whether the settings take their database from none of these variables."""
    settings = project.settings_for(service)
    if settings is None:
        return not project.manage and bool(project.alembics)
    text = "\n".join(module.text for module in settings.modules)
    return not PARSED.search(text) and not any(name in text for name in names)


def port_beside(service: Service, name: str) -> str:
    """Return the port variable that goes with a host variable."""
    found = service.environment.get(re.sub(r"HOST(NAME)?$", "PORT", name))
    return (found.value or "") if found else ""


def _by_socket(default: dict[str, Any], service: Service) -> bool:
    """Whether a server is asked for without a host, which is the socket of the machine itself."""
    engine = default.get("ENGINE")
    server = isinstance(engine, str) and engine.endswith(("postgresql", "postgis", "mysql"))
    elsewhere = "OPTIONS" in default or {"PGHOST", "PGSERVICE"} & set(service.environment)
    return server and default.get("HOST", "") in ("", None) and not elsewhere


def _from_settings(project: ProjectFiles, service: Service) -> list[Host]:
    settings = project.settings_for(service)
    if settings is None or not facts.loads_settings(project, service):
        return []
    databases = settings.value("DATABASES", facts.values(service, project))
    default = databases.get("default") if isinstance(databases, dict) else None
    host = default.get("HOST") if isinstance(default, dict) else None
    if isinstance(default, dict) and _by_socket(default, service):
        host = "localhost"
    if not isinstance(host, str) or not host or host is UNKNOWN:
        return []
    path, line = settings.line("DATABASES")
    text = (project.read(path) or "").split("\n")
    at = next(
        (
            n
            for n in range(line, min(line + 40, len(text)) + 1)
            if re.search(r"""['"]HOST['"]""", text[n - 1])
        ),
        line,
    )
    port = default.get("PORT") if isinstance(default, dict) else ""
    return [
        Host(
            host,
            str(port) if port not in (None, UNKNOWN) else "",
            Place(path, at),
            "DATABASES",
            False,
            reads=_read_for(text[line - 1 : at]),
        )
    ]


_VARIABLE = re.compile(
    r"""(?:getenv|environ(?:\.get)?|\benv(?:\.\w+)?|config)\s*[(\[]\s*["'](\w+)["']"""
)


def _read_for(lines: Sequence[str]) -> str:
    """Return the variable that a setting's lines read: that of the host, else a whole URL's."""
    last = lines[-1] if lines else ""
    hosted = re.search(r"""['"]HOST['"]\s*:(.*)""", last)
    found = _VARIABLE.search(hosted[1] if hosted else last)
    if found or hosted:
        return found[1] if found else ""
    return "DATABASE_URL" if "dj_database_url.config" in last or "env.db(" in last else ""


def is_name(host: str) -> bool:
    """Whether it is a bare name, which only the stack itself can resolve."""
    plain = host.replace("-", "").replace("_", "").isalnum()
    return plain and host not in facts.LOOPBACK and not host.isdigit()
