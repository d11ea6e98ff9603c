"""A worker looks for its broker under a name that no service has.

Service names, their aliases and container names are what resolves inside a stack; everything else ends at the DNS server.
It is silent where the stack runs no broker, and where an external network may know the name.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, hosts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.hosts import Host
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"Error -[235] connecting to [\w.-]+:\d+",
    r"(kombu|redis|amqp)[\s\S]*(Name or service not known|Temporary failure in name resolution|No address associated)",
    r"Cannot connect to (redis|amqp)s?://[\s\S]*(Name or service not known|name resolution|No address)",
)
PRINTED = "consumer: Cannot connect to redis://cache:6379/0: Error -2 connecting to cache:6379. Name or service not known.."
WHEN = "at the first task, and at the start of the worker"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD ["celery", "-A", "shop", "worker"]\n',
    "compose.yaml": """services:
  worker:
    build: .
    environment:
      CELERY_BROKER_URL: redis://cache:6379/0
  redis:
    image: redis:7
""",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"].replace("//cache", "//redis")}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield brokers' hosts that no service answers to."""
    for service in facts.built(project):
        brokers = [one for one in project.siblings(service) if one.repository in facts.BROKERS]
        if not brokers or service.hosts_own_network or service.reaches_outside:
            continue
        known = {name for one in project.siblings(service) for name in one.names}
        known |= service.extra_hosts
        for host in hosts.hosts(project, service):
            if not host.broker or host.host in known or not hosts.is_name(host.host):
                continue
            right = brokers[0]
            yield Problem(
                host.place,
                f"{service.name} looks for its broker at {host.host}, and no service has that name.",
                f"write {right.name} in place of {host.host} in {host.name}",
                (right.place,),
                _mend(project, host, right) if len(brokers) == 1 else (),
                printed=f"Error -2 connecting to {host.host}:{host.port or 6379}. Name or service not known.",
            )


def _mend(project: ProjectFiles, host: Host, right: Service) -> tuple[Edit, ...]:
    text = project.read(host.place.path)
    if host.given is None or text is None:
        return ()
    if host.given.item is not None:
        return edits.within(host.given.item, text, host.host, right.name)
    return edits.swap(host.place.path, text, host.place.line, host.host, right.name)
