"""The database's host name is the name of no service.

Inside the network of a Compose project names are service names, aliases and `extra_hosts`; anything without a dot that is none of these is not found.
It is silent for names with a dot, for external networks and shared ones, and where the stack runs no database of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, hosts
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

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
      DATABASE_URL: postgresql://shop:shop@database:5432/shop
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
        if not servers or service.hosts_own_network or _outside(service):
            continue
        known = {name for one in project.siblings(service) for name in one.names} | _extra(service)
        for host in hosts.hosts(project, service):
            if host.broker or host.host in known or not _is_name(host.host):
                continue
            right = servers[0].name
            item = host.given.item if host.given is not None else None
            text = project.read(item.path) if item is not None else None
            mend = (
                edits.within(item, text, host.host, right)
                if item and text and len(servers) == 1
                else ()
            )
            yield Problem(
                host.place,
                f"{service.name} looks for its database at {host.host}, and no service has that name.",
                f"write {right} in place of {host.host} in {host.name}",
                (servers[0].place,),
                mend,
            )


def _is_name(host: str) -> bool:
    plain = host.replace("-", "").replace("_", "").isalnum()
    return plain and host not in facts.LOOPBACK and not host.isdigit()


def _extra(service: Service) -> set[str]:
    found = service.get("extra_hosts")
    out = {"host.docker.internal"}
    for one in found.items if found is not None else ():
        out.add(one.text.split(":")[0].split("=")[0])
    out.update(found.entries if found is not None else ())
    for one in (service.get("links") or found).items if service.get("links") is not None else ():  # type: ignore[union-attr]
        out.add(one.text.rpartition(":")[2])
    return out


def _outside(service: Service) -> bool:
    networks = service.stack.section("networks")
    return any(one.get("external") is not None for one in networks.values())
