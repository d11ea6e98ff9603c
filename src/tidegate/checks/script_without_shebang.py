"""The start script does not say which interpreter runs it.

A shell that calls such a file runs it itself; the engine does not, and neither do init programs.
A byte order mark or a space before `#!` has the same effect.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (r"exec format error",)
PRINTED = "exec /app/entrypoint.sh: exec format error"
WHEN = "at every start"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY --chmod=755 . .\nENTRYPOINT ["/app/entrypoint.sh"]\n',
    "entrypoint.sh": "set -e\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "entrypoint.sh": "#!/bin/sh\n" + BAD["entrypoint.sh"]}
AT = "entrypoint.sh:1"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield scripts that the engine itself executes and that have no shebang."""
    for service in project.services:
        for use in project.start(service).scripts:
            text = project.read(use.path) or ""
            if use.by_shell or not use.direct or text.startswith("#!"):
                continue
            begin = len(text) - len(text.lstrip("\ufeff \t\r\n"))
            hidden = text[begin : begin + 2] == "#!"
            new = "" if hidden else "#!/bin/sh\n"
            what = "has something before its #!" if hidden else "does not begin with #!"
            yield Problem(
                Place(use.path, 1),
                f"{use.path} {what}, so the engine does not know what to run it with.",
                "let its first line be #!/bin/sh",
                (use.place,),
                (Edit(use.path, 0, begin if hidden else 0, new),),
                printed=f"exec {use.target}: exec format error",
            )
