"""The periodic tasks are sent more than once.

Each `celery beat` sends every task of the schedule; a second one sends all of them again: two invoices, two mails.
A worker with `-B` is a beat too, in each of its replicas.
Two beats that share their schedule file stop each other as well.
Let one service of one container run beat, apart from the workers; it is silent with a scheduler that holds a lock, such as RedBeat.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import celeryfiles, facts
from tidegate.reading.project.acts import Act
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (
    r"dbm\.error: \[Errno 11\] Resource temporarily unavailable: '[^']*celerybeat-schedule'",
    r"error: \[Errno 11\] Resource temporarily unavailable",
)
PRINTED = "_gdbm.error: [Errno 11] Resource temporarily unavailable: 'celerybeat-schedule'"
WHEN = "at every turn of the schedule"
BAD = {
    "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY . .\n",
    "compose.yaml": """services:
  worker:
    build: .
    command: ["celery", "-A", "shop", "worker", "-B"]
    deploy:
      replicas: 3
    healthcheck:
      test: ["CMD", "celery", "-A", "shop", "inspect", "ping"]
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace(', "-B"', "")
    + """  beat:
    build: .
    command: ["celery", "-A", "shop", "beat"]
""",
}
AT = "compose.yaml:4"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield beats of which a stack runs several."""
    for stack in project.stacks:
        found = [
            (service, act)
            for service in facts.built(project)
            if service.stack is stack and not service.item.get("profiles")
            for act in celeryfiles.acts(project, service)
            if celeryfiles.beats(act)
            and act.command.always  # a script may choose by a variable
            and not _locked(project, service, act)
        ]
        for index, (service, act) in enumerate(found):
            count, item = service.replicas
            if count > 1:
                yield Problem(
                    act.place,
                    f"{service.name} runs {count} times, and each sends every periodic task.",
                    "run beat in a service of its own, once, and the workers without -B",
                    (item.place,) if item is not None else (),
                )
            elif index and _same(found[0][1], act):
                first = found[0]
                yield Problem(
                    act.place,
                    f"{first[0].name} and {service.name} both send every periodic task.",
                    f"take beat out of one of them: {first[0].name} or {service.name}",
                    (first[1].place,),
                )


def _same(one: Act, other: Act) -> bool:
    """Whether two beats send for the same app, as far as the command lines say."""
    return _app(one) == _app(other) and _schedule(one) == _schedule(other)


def _app(act: Act) -> str:
    return next((act.words[index + 1] for index, word in enumerate(act.words[:-1])
                 if word in ("-A", "--app")), "")  # fmt: skip


def _schedule(act: Act) -> tuple[str, ...]:
    return tuple(word for word in act.words if word.startswith("--scheduler"))


def _locked(project: ProjectFiles, service: Service, act: Act) -> bool:
    if "redbeat" in " ".join(act.words).lower():
        return True
    app = celeryfiles.of(project, act)
    found = celeryfiles.setting(project, app, service, "beat_scheduler", {}) if app else None
    return found is not None and "redbeat" in str(found.value).lower()
