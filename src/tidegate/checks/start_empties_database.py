"""The start empties the database.

`manage.py flush`, `reset_db` and `sqlflush` in an entrypoint are left over from a tutorial's development setup; every restart of the container then deletes all rows.
It is silent where a condition decides, since that can be the development switch.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, words
from tidegate.reading.project.acts import Act, shown
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"(User|matching query) does not exist",
    r"Please enter the correct username and password",
)
PRINTED = "shop.models.User.DoesNotExist: User matching query does not exist."
WHEN = "at every restart of the container: all rows are gone"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "set -e\npython manage.py flush --no-input\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": "set -e\nexec gunicorn shop.wsgi\n"}
AT = "start.sh:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield starts that delete rows."""
    for service in project.services:
        for act in project.start(service).acts:
            emptying = words.manage(act.words) in ("flush", "reset_db") or (
                words.program(act.words) == "alembic" and "downgrade" in act.words
            )
            if emptying and act.command.always:
                yield Problem(
                    act.place,
                    f"`{shown(act.words)}` deletes all rows at every start of {service.name}.",
                    "take the line out",
                    (service.place,) if service.place.path != act.place.path else (),
                    _mend(project, act),
                )


def _mend(project: ProjectFiles, act: Act) -> tuple[Edit, ...]:
    text = project.read(act.place.path) or ""
    line = text.split("\n")[act.place.line - 1] if act.place.line else ""
    if not act.script or line.strip() != shown(act.words):
        return ()
    return (edits.delete_lines(act.place.path, text, act.place.line, act.place.line),)
