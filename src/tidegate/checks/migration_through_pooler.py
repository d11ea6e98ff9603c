"""Migrations reach the database through a pooler.

Behind transaction pooling a session lock belongs to whichever server connection answered, so two migrators can both hold it, or nobody can ever release it; `SET lock_timeout` lands on a stranger's session; prepared statements vanish.
Give the migrating process the server's own address: with tidegate that is `TIDEGATE_DIRECT_URL`.
It is silent where a direct address is given, and for services that do not migrate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts, hosts
from tidegate.reading.project.acts import Act
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service, place_in

SEVERITY = "warning"
ERRORS = (
    r"prepared statement \"?[\w.]+\"? does not exist",
    r"prepared statement \"?[\w.]+\"? already exists",
    r"waiting to acquire database lock",
    r"failed releasing lock",
    r"unsupported startup parameter",
)
PRINTED = 'prepared statement "_pg3_0" does not exist'
WHEN = "when a migration runs while other clients use the pool"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nENTRYPOINT ["tidegate", "boot", "--"]\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment:
      DATABASE_URL: postgresql://shop:shop@pgbouncer:6432/shop
  pgbouncer:
    image: edoburu/pgbouncer:v1.23.1-p3
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace(
        "  pgbouncer:\n",
        "      TIDEGATE_DIRECT_URL: postgresql://shop:shop@db:5432/shop\n  pgbouncer:\n",
    ),
}
AT = "compose.yaml:5"
_DIRECT = re.compile(r"DIRECT|MIGRAT\w*_(URL|HOST)|UNPOOLED|ADMIN_(URL|HOST)")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the variables that lead a migrating service to a pooler."""
    for service, act, host in _ways(project):
        if _pooled(project, service, host):
            yield _problem(service, act, host, f"a pooler ({host.host})")


def _ways(project: ProjectFiles) -> Iterator[tuple[Service, Act, hosts.Host]]:
    """Yield each service that migrates, without a direct way, and where it finds its database."""
    for service in facts.built(project):
        act = facts.migrating(project, service)
        if act is None or any(_DIRECT.search(name) for name in service.environment):
            continue
        for host in hosts.hosts(project, service):
            if not host.broker:
                yield service, act, host


def _problem(service: Service, act: Act, host: hosts.Host, what: str) -> Problem:
    return Problem(
        host.place,
        f"{service.name} migrates through {what}: session locks and settings are void there.",
        "set TIDEGATE_DIRECT_URL to the server's own address for the service that migrates",
        (act.place,),
    )


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield ways to a container that runs a pooler, and logs of sessions that change hands."""
    running = {one.service: one for one in live.poolers}
    for service, act, host in _ways(project):
        named = (each.name for each in project.siblings(service) if host.host in each.names)
        pooler = next((running[name] for name in named if name in running), None)
        if pooler is not None:
            what = f"{pooler.program}, which runs in {pooler.service} before {pooler.server}"
            yield _problem(service, act, host, what)
    for one in live.containers:
        said = next((found[0] for text in ERRORS if (found := re.search(text, one.log))), "")
        if said:
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} speaks to the database through a pooler that hands its sessions "
                f"around: {said}.",
                "set TIDEGATE_DIRECT_URL to the server's own address for the service that "
                "migrates, and switch prepared statements off in the app "
                '(psycopg: "prepare_threshold": None)',
            )


def _pooled(project: ProjectFiles, service: Service, host: hosts.Host) -> bool:
    if host.port == "6432" or facts.POOLERS.search(host.host):
        return True
    servers = [one for one in project.siblings(service) if host.host in one.names]
    return any(facts.POOLERS.search(one.image) for one in servers)
