"""A service that does one thing and ends is restarted for ever.

`restart: always` and `unless-stopped` start a container again however it ended: the migration runs in a loop, and whoever waits for `service_completed_successfully` waits for something that never stays.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts
from tidegate.reading.project.acts import shown
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"Restarting \(0\)",
    r"container \S+ exited \(0\)",
    r"didn't complete successfully: exit 0",
)
PRINTED = "Restarting (0) 3 seconds ago"
WHEN = "from the first start on: the container starts again and again"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": """services:
  migrate:
    build: .
    command: python manage.py migrate
    restart: unless-stopped
  web:
    build: .
    depends_on:
      migrate:
        condition: service_completed_successfully
""",
}
GOOD = {
    **BAD,
    "compose.yaml": BAD["compose.yaml"].replace("restart: unless-stopped", 'restart: "no"'),
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield one-shot services that are restarted whatever they end with."""
    for service in project.services:
        item = service.get("restart")
        if (
            item is None
            or item.text not in ("always", "unless-stopped")
            or not facts.one_shot(project, service)
        ):
            continue
        last = project.start(service).acts[-1]
        own = service.item.line <= item.key_line <= service.item.end_line
        if own or item.path != service.item.path:
            mend = edits.scalar(item, '"no"' if item.style not in ("'", '"') else "no")
        else:  # an anchor gives it, to others too: what the service says itself comes first
            text = project.read(item.path) or ""
            mend = edits.add_key(service.item, text, "restart", ' "no"')
        yield Problem(
            item.place,
            f"{service.name} runs `{shown(last.words)}`, ends, and is started again for ever.",
            'write restart: "no" (or on-failure)',
            (last.place,),
            mend,
        )
