"""A service looks for its database or broker at localhost.

Inside a container, localhost is the container itself; the other services answer under their service names.
It is silent with `network_mode: host`, and where the stack has no such service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, hosts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"connection to server at \"(localhost|127\.0\.0\.1|::1)\"[\s\S]*refused",
    r"Error 111 connecting to (localhost|127\.0\.0\.1)",
    r"Can't connect to (local )?MySQL server (on 'localhost'|through socket)",
    r"connection to server on socket \"[^\"]+\" failed",
    r"Connection refused",
)
PRINTED = 'connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused'
WHEN = "at the first connection"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment:
      DB_HOST: localhost
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
""",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].replace("localhost", "db")}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield hosts on the loopback, in stacks where the real one is a service."""
    for service in facts.built(project):
        if service.hosts_own_network:
            continue
        for host in hosts.hosts(project, service):
            candidates = _candidates(project, service, host)
            if host.host not in facts.LOOPBACK or not candidates:
                continue
            if host.given is None and not service.all_env_files_there:
                continue
            right = candidates[0]
            yield Problem(
                host.place,
                f"{service.name} looks for {right.name} at {host.host}, which is {service.name}'s own container.",
                _remedy(host, right.name, service.name),
                (right.place,),
                _mend(project, service, host, right.name) if len(candidates) == 1 else (),
                printed=_printed(host, right),
            )


def _printed(host: hosts.Host, right: Service) -> str:
    if host.broker:
        return f"Error 111 connecting to {host.host}:{host.port or 6379}. Connection refused."
    if facts.is_mysql(right):
        return f"Can't connect to MySQL server on '{host.host}' (111)"
    return f'connection to server at "{host.host}", port {host.port or 5432} failed: Connection refused'


def _remedy(host: hosts.Host, right: str, service: str) -> str:
    if host.given is not None:
        return f"write {right} in place of {host.host} in {host.name}"
    if host.name == "broker_url":
        scheme = "amqp" if host.scheme.startswith("amqp") else host.scheme
        return (
            f"give CELERY_BROKER_URL: {scheme}://{right}:{host.port or '6379'} to {service};\n"
            "Celery takes that variable before its settings"
        )
    if host.name == "sqlalchemy.url":
        return (
            "let env.py take the variable: config.set_main_option(\n"
            '    "sqlalchemy.url", os.environ["DATABASE_URL"].replace("%", "%%"))\n'
            f"and give DATABASE_URL with the host {right} to {service}"
        )
    if host.reads:
        whole = "URL" in host.reads or "DSN" in host.reads
        return f"give {host.reads}{' with the host' if whole else ':'} {right} to {service}"
    return (
        f'let the settings read it, as in "HOST": os.environ.get("DB_HOST", "{host.host}"),\n'
        f"and give DB_HOST: {right} to {service}"
    )


def _candidates(project: ProjectFiles, service: Service, host: hosts.Host) -> list[Service]:
    if not host.broker:
        return facts.databases(project, service)
    scheme = (host.given.value or "").partition("://")[0] if host.given else host.scheme
    wanted = ("rabbitmq",) if scheme.startswith("amqp") or "RABBIT" in host.name else facts.BROKERS
    return [one for one in project.siblings(service) if one.repository in wanted]


def _mend(
    project: ProjectFiles, service: Service, host: hosts.Host, right: str
) -> tuple[Edit, ...]:
    if host.given is None:
        return _given(project, service, host.reads, right)
    text = project.read(host.place.path) or ""
    if host.given.item is not None:
        return edits.within(host.given.item, text, host.host, right)
    return edits.swap(host.place.path, text, host.place.line, host.host, right)


def _given(project: ProjectFiles, service: Service, variable: str, right: str) -> tuple[Edit, ...]:
    """Give a service the variable that its settings take the host from."""
    text = project.read(service.item.path) or ""
    if not re.search(r"HOST(NAME)?$", variable) or variable in service.environment:
        return ()
    found = service.get("environment")
    if found is None:
        return edits.add_key(service.item, text, "environment", f"\n  {variable}: {right}")
    own = found.path == service.item.path and service.item.line <= found.line
    if not own or not found.entries or found.line > service.item.end_line:
        return ()
    return edits.add_key(found, text, variable, f" {right}")
