"""A scheduled dump and migrations without a lock timeout share a database.

`pg_dump` holds a weak lock on every table for as long as it runs; an `ALTER TABLE` queues behind it, and every reader queues behind the `ALTER TABLE`: the site stands still until the dump is done.
Give migrations a lock timeout and ask again when it is refused; `tidegate boot` and `tidegate migrate` do both.
It is silent without a backup service, and where a lock timeout is set anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (r"AccessExclusiveLock", r"canceling statement due to (statement|lock) timeout")
PRINTED = "canceling statement due to statement timeout"
WHEN = "when a migration starts while the dump runs; requests hang for the same time"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["sh", "-c", "python manage.py migrate && exec gunicorn shop.wsgi"]\n',
    "compose.yaml": """services:
  web:
    build: .
    environment:
      PYTHONUNBUFFERED: "1"
  backup:
    image: prodrigestivill/postgres-backup-local:16
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace(
        'PYTHONUNBUFFERED: "1"', "PGOPTIONS: -c lock_timeout=2s"
    ),
}
AT = "Dockerfile:4"
_BACKUP = re.compile(r"backup|pg_?dump|wal-g|barman", re.I)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield migrating services beside a service that dumps the database."""
    for service in facts.built(project):
        act = facts.migrating(project, service)
        backups = [one for one in project.siblings(service) if _BACKUP.search(one.image)]
        if act is None or act.locked or not backups or _bounded(project, service):
            continue
        yield Problem(
            act.place,
            f"A migration queues behind the dump of {backups[0].name}, and every request of {service.name} behind the migration.",
            "bound the wait with PGOPTIONS: -c lock_timeout=2s for the migrating command, and try again,\n"
            "or start with `tidegate boot -- COMMAND`, which does both",
            (backups[0].place,),
        )


def _bounded(project: ProjectFiles, service: object) -> bool:
    return any("lock_timeout" in (project.read(path) or "") for path in project.checked)
