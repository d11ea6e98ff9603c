"""Commands stand behind an `exec` and never run.

`exec COMMAND` replaces the shell; there is no shell left for the next line.
Often the second half of a script was appended, such as the migrations, and silently never runs.
It is silent for `exec` in one branch of several, and for `exec` with redirections only.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"relation \"?[\w.]+\"? does not exist",
    r"no such table",
    r"You have \d+ unapplied migration",
)
PRINTED = 'relation "shop_order" does not exist'
WHEN = "never at the start: what the lines should have done is missing later"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\n',
    "start.sh": "#!/bin/sh\nset -e\nexec gunicorn shop.wsgi\npython manage.py check\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": "#!/bin/sh\nset -e\npython manage.py check\nexec gunicorn shop.wsgi\n"}
AT = "start.sh:4"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the first command behind an unconditional exec."""
    for service in project.services:
        for use in project.start(service).scripts:
            commands = use.parsed.commands
            for index, one in enumerate(commands):
                rest = [after for after in commands[index + 1 :] if after.line > one.line]
                closes = one.closes and len(one.inside) == 1  # each branch has its exec
                if (
                    not one.replaces
                    or not (one.always or closes)
                    or one.then in ("||", "&&")
                    or one.is_fallback
                    or not rest
                ):
                    continue
                yield Problem(
                    Place(use.path, rest[0].line),
                    f"`{rest[0].name}` never runs: line {one.line} has replaced the shell by `{one.bare.name}`.",
                    "move the line above the exec",
                    (Place(use.path, one.line),),
                )
                break
