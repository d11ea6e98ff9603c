"""Several containers can apply migrations at the same time.

Each of them sees the same pending migrations and runs them.
On an empty or an outdated database all but one fail, some with half a schema behind them, and restart until the first is done; a slow migration can deadlock with its twin.
Let one process through: `tidegate boot -- COMMAND` holds an election, a one-shot service that the others wait for does it too.
It is silent where a lock, tidegate or `depends_on` with a condition keeps the containers apart, and where a branch of the script decides who migrates.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts
from tidegate.reading.project.acts import Act, shown
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"pg_type_typname_nsp_index",
    r"column \"?[\w.]+\"? of relation \"?[\w.]+\"? already exists",
    r"relation (\"?[\w.]+\"? )?already exists",
    r"type \"?[\w.]+\"? already exists",
    r"Duplicate(Column|Table|Object)",
    r"deadlock detected[\s\S]*waits for AccessExclusiveLock on relation",
    r"UNIQUE constraint failed: pg_namespace",
    r"\b42P07\b|\b42701\b",
    r"deadlock detected(?![\s\S]*CONCURRENTLY)",
)
PRINTED = 'duplicate key value violates unique constraint "pg_type_typname_nsp_index"'
WHEN = "at the first start on an empty database, and at every update that brings a migration"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "set -e\npython manage.py migrate --noinput\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n    deploy:\n      replicas: 3\n",
}
GOOD = {**BAD, "start.sh": "set -e\nexec tidegate boot -- gunicorn shop.wsgi\n"}
AT = "start.sh:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield commands that migrate and are reached by more than one container at once."""
    for stack in project.stacks:
        found = [
            (one, act)
            for one in project.services
            if one.stack is stack and (act := _free(project, one))
        ]
        for service, act in found:
            count, item = service.replicas
            if count > 1 and item is not None:
                yield _problem(act, f"{service.name} x{count}", (item.place,))
        for index, (service, act) in enumerate(found):
            others = [one for one, _ in found[index + 1 :] if _together(project, service, one)]
            if others and service.replicas[0] == 1:
                names = " and ".join(one.name for one in (service, *others))
                yield _problem(act, names, (service.place, *(one.place for one in others)))


def _free(project: ProjectFiles, service: Service) -> Act | None:
    act = facts.migrating(project, service)
    if service.replicas[0] == 0:
        return None
    if (
        act is None
        or act.locked
        or {"if", "else", "case", "until", "loop"} & set(act.command.inside)
    ):
        return None
    return act if project.image(service) is not None or service.build else None


def _together(project: ProjectFiles, one: Service, other: Service) -> bool:
    if facts.waits_for(project, one, other) or facts.waits_for(project, other, one):
        return False
    return one.get("profiles") is None and other.get("profiles") is None


def _problem(act: Act, who: str, also: tuple) -> Problem:  # type: ignore[type-arg]
    return Problem(
        act.place,
        f"Several containers can run `{shown(act.words)}` at the same time: {who}.",
        "start the app with `tidegate boot -- COMMAND`, which lets one migrate while the others wait,\n"
        "or migrate in a one-shot service that the others wait for (service_completed_successfully)",
        also,
    )
