"""Several containers write one SQLite file.

SQLite lets one writer in at a time, and its locks hold between containers only on one machine's own disk; on network shares and desktop mounts they do not hold at all.
A web service and a worker on one file meet `database is locked` under load.
Use a database server, or one container.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, sqlitefiles
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (r"database is locked", r"disk I/O error", r"SQLITE_BUSY")
PRINTED = "sqlite3.OperationalError: database is locked"
WHEN = "when two of them write at the same time"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["uvicorn", "shop:app"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment: &env
      DATABASE_URL: sqlite:////data/shop.db
    volumes:
      - data:/data
  worker:
    build: .
    command: python worker.py
    environment: *env
    volumes:
      - data:/data
volumes:
  data:
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace(
        "sqlite:////data/shop.db", "postgresql://shop:shop@db.example.org/shop"
    ),
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield SQLite URLs that containers of more than one service share over a volume."""
    for stack in project.stacks:
        users: dict[str, list[tuple[Service, Place]]] = {}
        for service in facts.built(project):
            for path, place in _files(project, service) if service.stack is stack else ():
                users.setdefault(path, []).append((service, place))
        for path, found in users.items():
            names = [service.name for service, _ in found]
            shared = _shared([service for service, _ in found], path)
            if len(found) > 1 and shared:
                yield Problem(
                    found[0][1],
                    f"{' and '.join(names)} write one SQLite file on {shared}.",
                    "use a database server for more than one container",
                    tuple(service.place for service, _ in found[1:]),
                )


def _files(project: ProjectFiles, service: Service) -> list[tuple[str, Place]]:
    """Return the SQLite files that a service has open for as long as it runs, each once."""
    if (
        not service.mounts
        or not (facts.loads_settings(project, service) or not project.manage)
        or facts.one_shot(project, service)
    ):
        return []
    return list(dict(sqlitefiles.named(project, service)).items())


def _shared(services: list[Service], path: str) -> str:
    """Return what all of them mount above the file; empty where each has a file of its own."""
    sources = [
        {
            one.source for one in service.mounts
            if one.kind in ("volume", "bind") and path.startswith(one.target.rstrip("/") + "/")
        }
        for service in services
    ]  # fmt: skip
    common = set.intersection(*sources) if sources else set()
    return sorted(common)[0] if common else ""
