"""A one-shot service that nobody waits for.

`docker compose up --wait` counts a service that has ended as failed, unless another one waits for it with `service_completed_successfully`: the deployment ends with 1 although all went well.
And Compose does not keep the app from starting before it is done.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts
from tidegate.reading.project.acts import shown
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "info"
ERRORS = (r"container \S+ exited \(0\)",)
PRINTED = "container shop-migrate-1 exited (0)"
WHEN = "with `docker compose up --wait`"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  migrate:
    build: .
    command: python manage.py migrate
  web:
    build: .
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"]
    + "    depends_on:\n      migrate:\n        condition: service_completed_successfully\n",
}
AT = "compose.yaml:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield one-shot services without a service that waits for their end."""
    for service in project.services:
        if service.get("profiles") is not None or not facts.one_shot(project, service):
            continue
        others = [one for one in project.siblings(service) if one is not service]
        adopted = any(
            one.depends_on.get(service.name, ("", None))[0] == "service_completed_successfully"
            for one in others
        )
        if adopted or not others:
            continue
        last = project.start(service).acts[-1]
        yield Problem(
            service.place,
            f"Nobody waits for the end of {service.name} (`{shown(last.words)}`), so `up --wait` ends with 1 when it is done.",
            f"let the app depend on {service.name} with condition: service_completed_successfully",
            (last.place,) if last.place != service.place else (),
        )
