"""The build runs a command that needs the database.

While an image is built there is no network of the Compose project and no database; and if there were, the image would change the database of whoever builds it.
Migrate when the container starts, or as a step of the deployment.
It is silent where the command is given a SQLite database for the build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.acts import shown
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image, Run
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.shell import Command

SEVERITY = "error"
ERRORS = (
    r"could not translate host name",
    r"failed to resolve host",
    r"Connection refused",
    r"Name or service not known",
    r"Temporary failure in name resolution",
)
PRINTED = 'could not translate host name "db" to address: Name or service not known'
WHEN = "when the image is built"
BAD = {
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nRUN python manage.py migrate --noinput\nCMD ["gunicorn", "shop.wsgi"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: shop\n",
}
GOOD = {
    **BAD,
    "Dockerfile": 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["tidegate", "boot", "--", "gunicorn", "shop.wsgi"]\n',
}
AT = "Dockerfile:4"
_COMMANDS = (
    "loaddata",
    "createsuperuser",
    "dbshell",
    "flush",
    "createcachetable",
    "inspectdb",
    "sqlflush",
    "clearsessions",
)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield commands of a build that connect to the database."""
    sqlite_only = _sqlite(project)
    for image in project.images:
        for run in image.own_runs if not sqlite_only else ():
            for command in run.script.flat():
                if not (words.migrates(command.words) or words.manage(command.words) in _COMMANDS):
                    continue
                if _local(command, run) or (
                    command.after_failure and command.after_failure[0] in ("true", ":")
                ):
                    continue
                yield Problem(
                    run.place(command),
                    f"`{shown(command.words)}` needs the database, and a build has none.",
                    'do it when the container starts: ENTRYPOINT ["tidegate", "boot", "--"]',
                    _servers(project, image),
                    _mend(project, image, run, command),
                )


def _servers(project: ProjectFiles, image: Image) -> tuple[Place, ...]:
    """Return where the database is that a start has and the build has not."""
    users = [one for one in project.services if project.image(one) is image]
    found = [server.place for one in users for server in facts.databases(project, one)]
    return tuple(found[:1])


def _sqlite(project: ProjectFiles) -> bool:
    """Whether the project's database is a file, which a build can have."""
    settings = project.settings
    found = settings.value("DATABASES") if settings is not None else None
    default = found.get("default") if isinstance(found, dict) else None
    engine = default.get("ENGINE") if isinstance(default, dict) else ""
    return isinstance(engine, str) and "sqlite" in engine


def _local(command: Command, run: Run) -> bool:
    given = {**run.environ, **dict(command.env)}
    return any("sqlite" in value for value in given.values()) or "sqlite" in run.script.text


def _mend(project: ProjectFiles, image: Image, run: Run, command: Command) -> tuple[Edit, ...]:
    """Take the command out of the build, and run it before the app where nothing else does."""
    if not words.migrates(command.words) or len(run.script.flat()) != 1 or run.instruction.heredocs:
        return ()
    text = project.read(image.path) or ""
    out = [edits.delete_lines(image.path, text, run.instruction.line, run.instruction.end_line)]
    starts = [project.start(one) for one in project.services if project.image(one) is image] or [
        project.image_start(image)
    ]
    if all(
        start.does(words.migrates) or start.does(lambda w: words.program(w) == "tidegate")
        for start in starts
    ):
        return tuple(out)
    cmd = image.cmd
    plain = (
        cmd is not None
        and cmd.path == image.path
        and cmd.words is not None
        and cmd.line == cmd.end_line
        and image.entrypoint is None
    )
    if not plain or any(
        one.words("command") is not None for one in project.services if project.image(one) is image
    ):
        return ()
    assert cmd is not None and cmd.words is not None
    script = f"{shown(command.words)} && exec {shown(cmd.words)}"
    begin = edits.line_start(text, cmd.line)
    old = text[begin:].split("\n")[0]
    new = re.sub(r"\[.*\]", lambda _: json.dumps(["sh", "-c", script]), old)
    out.append(Edit(image.path, begin, begin + len(old), new))
    return tuple(out)
