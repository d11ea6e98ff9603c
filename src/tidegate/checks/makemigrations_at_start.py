"""The container writes migrations when it starts.

Files that `makemigrations` writes in a container go with it; each environment gets its own history, with the same names and different contents, and one day they meet.
Write migrations on your own machine, commit them, and let the container only apply them.
It is an information where a development server works on the project's own folder.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.acts import Act, shown
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "warning"
ERRORS = (
    r"InconsistentMigrationHistory",
    r"Conflicting migrations detected",
    r"It is impossible to add a non-nullable field",
    r"NodeNotFoundError",
)
PRINTED = "django.db.migrations.exceptions.InconsistentMigrationHistory"
WHEN = "at an update, when the files of the container and of the project disagree"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "set -e\npython manage.py makemigrations\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": "set -e\nexec gunicorn shop.wsgi\n"}
AT = "start.sh:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield starts that write migrations."""
    for service in project.services:
        act = project.start(service).first(words.makes_migrations)
        if act is not None:
            kept = _kept(project, service)
            end = "no review sees them" if kept else "they go with the container"
            yield Problem(
                act.place,
                f"{service.name} writes migrations at its start (`{shown(act.words)}`), and {end}.",
                "take the line out; run makemigrations on your machine and commit what it writes",
                (service.place,) if service.place.path != act.place.path else (),
                _mend(project, act),
                severity="info" if kept and facts.developing(project, service) else "",
            )


def _kept(project: ProjectFiles, service: Service) -> bool:
    """Whether the code in the container is the project's own folder."""
    folders = (one.source for one in service.mounts if one.kind == "bind" and not one.read_only)
    return any(not one or project.manage.startswith(one + "/") for one in folders)


def _mend(project: ProjectFiles, act: Act) -> tuple[Edit, ...]:
    text = project.read(act.place.path) or ""
    lines = text.split("\n")
    line = lines[act.place.line - 1] if 0 < act.place.line <= len(lines) else ""
    for old in (shown(act.words) + " && ", shown(act.words) + "; "):
        if old in line:
            return edits.swap(act.place.path, text, act.place.line, old, "")
    alone = act.script and line.strip() == shown(act.words) and not act.command.inside
    return (
        (edits.delete_lines(act.place.path, text, act.place.line, act.place.line),) if alone else ()
    )
