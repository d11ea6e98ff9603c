"""The worker's broker needs a library that is not installed.

Celery brings the client of RabbitMQ along and none of Redis: without it the worker ends at its start, with an error that does not name the library.
Write `celery[redis]` in the list of packages.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import celeryfiles, edits, facts, hosts
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.requirements import Requirement

SEVERITY = "error"
ERRORS = (
    r"AttributeError: 'NoneType' object has no attribute 'Redis'",
    r"Missing redis library",
    r"No module named 'redis'",
)
PRINTED = "AttributeError: 'NoneType' object has no attribute 'Redis'"
WHEN = "at the start of the worker, and at the first task that is sent"
BAD = {
    "requirements.txt": "django==5.2\ncelery==5.5.3\n",
    "shop/celery.py": 'from celery import Celery\n\napp = Celery("shop", broker="redis://redis:6379/0")\n',
    "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n",
    "compose.yaml": """services:
  worker:
    build: .
    command: ["celery", "-A", "shop", "worker"]
  redis:
    image: redis:7
""",
}
GOOD = {**BAD, "requirements.txt": "django==5.2\ncelery[redis]==5.5.3\n"}
AT = "requirements.txt:2"
_BRING = ("redis", "django-redis", "celery-redbeat", "channels-redis", "rq", "hiredis")


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the line that installs Celery, where a worker uses Redis and nothing brings its client."""
    found = project.requirements.get("celery")
    if (
        found is None
        or "redis" in found.extras
        or any(one in project.requirements for one in _BRING)
    ):
        return
    for service in facts.built(project):
        image = project.image(service)
        if image is None or any(one.startswith("redis") for one in image.installed):
            continue
        for host in (
            hosts.hosts(project, service) if any(celeryfiles.acts(project, service)) else ()
        ):
            scheme = (
                host.scheme or (host.given.value or "" if host.given else "").partition("://")[0]
            )
            if host.broker and scheme in ("redis", "rediss"):
                yield Problem(
                    Place(found.path, found.line),
                    f"{service.name} talks to Redis, and nothing installs the client that Celery needs for it.",
                    "write celery[redis]",
                    (host.place,),
                    _mend(project, found),
                )


def _mend(project: ProjectFiles, found: Requirement) -> tuple[Edit, ...]:
    if not found.path.endswith(".txt") or found.extras:
        return ()
    return edits.swap(
        found.path, project.read(found.path) or "", found.line, "celery", "celery[redis]"
    )
