"""The database's host name is the name of no service.

Inside the network of a Compose project names are service names, aliases and `extra_hosts`; anything without a dot that is none of these is not found.
It is silent for names with a dot, for external networks and shared ones, and where the stack runs no database of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, hosts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"could not translate host name",
    r"failed to resolve host",
    r"Name or service not known",
    r"Temporary failure in name resolution",
    r"getaddrinfo (failed|ENOTFOUND)",
    r"nodename nor servname provided",
)
PRINTED = 'could not translate host name "database" to address: Name or service not known'
WHEN = "at the first connection"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment:
      DATABASE_URL: postgresql://postgres:shop@database:5432/postgres
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: shop
""",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].replace("@database", "@db")}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield host variables whose value no service answers to."""
    for service in facts.built(project):
        servers = facts.databases(project, service)
        if not servers or service.hosts_own_network or service.reaches_outside:
            continue
        known = {
            name for one in project.siblings(service) for name in one.names
        } | service.extra_hosts
        for host in hosts.hosts(project, service):
            if host.broker or host.host in known or not hosts.is_name(host.host):
                continue
            right = servers[0].name
            yield Problem(
                host.place,
                f"{service.name} looks for its database at {host.host}, and no service has that name.",
                f"write {right} in place of {host.host} in {host.name}",
                (servers[0].place,),
                _mend(project, host, right) if len(servers) == 1 else (),
                printed=f'could not translate host name "{host.host}" to address: Name or service not known',
            )


def _mend(project: ProjectFiles, host: hosts.Host, right: str) -> tuple[Edit, ...]:
    text = project.read(host.place.path)
    if host.given is None or text is None:
        return ()
    if host.given.item is not None:
        return edits.within(host.given.item, text, host.host, right)
    return edits.swap(host.place.path, text, host.place.line, host.host, right)
