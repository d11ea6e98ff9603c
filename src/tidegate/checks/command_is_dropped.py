"""The start script ignores the command that it is given.

With an ENTRYPOINT the container's command becomes the script's arguments; a script without `"$@"` never looks at them.
Inside a function, `"$@"` is what the function is called with.
Every service of the image then runs the same thing, and `docker compose run web python manage.py …` does not do what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.acts import shown
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (r"Address already in use", r"exited with code 0")
PRINTED = "shop-worker-1 exited with code 0"
WHEN = "at every start: the command does not run, and nothing says so"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["sh", "/app/start.sh"]\nCMD ["gunicorn", "shop.wsgi"]\n',
    "start.sh": "#!/bin/sh\nset -e\npython manage.py check\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "start.sh": BAD["start.sh"] + 'exec "$@"\n'}
AT = "start.sh:3"
_ARGUMENTS = re.compile(r"\$[@*1-9#]|\$\{[@*1-9#!]|\bshift\b|BASH_ARGV")
_SOURCES = re.compile(r"^\s*(?:\.|source)\s", re.M)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield entrypoint scripts that never look at their arguments, where some are given."""
    for service in project.services:
        start = project.start(service)
        if not start.command or not start.entrypoint or not start.scripts:
            continue
        use = start.scripts[0]
        texts = [use.parsed.outside, *(one.parsed.outside for one in start.scripts if one.sourced)]
        unread = len(_SOURCES.findall(use.parsed.text)) >= len(texts)
        if use.arguments != start.command or unread or any(map(_ARGUMENTS.search, texts)):
            continue
        last = len(use.parsed.text.rstrip().split("\n"))
        yield Problem(
            Place(use.path, last),
            f"{use.path} never runs its arguments: the command of {service.name}, `{shown(start.command)}`, is dropped.",
            'end the script with exec "$@"',
            (start.command_place,),
        )
