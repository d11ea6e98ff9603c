"""A script that the container starts has Windows line endings.

The kernel looks for an interpreter called `/bin/sh` plus a carriage return, finds none, and reports the script itself as missing; with the interpreter given, the first option or keyword with the invisible character fails.
Convert the file, and pin `eol=lf` in `.gitattributes`, since the next Windows checkout brings it back.
It is silent where the image converts the file after copying it, and for `.env` files, which Compose reads either way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.acts import ScriptUse
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "error"
ERRORS = (
    r"exec \S+: no such file or directory",
    r"env: .*\\r.*: No such file",
    r"illegal option -\s*$",
    r"\bset: -\s*:? ?invalid option",
    r"\bset: pipefail\s*:? ?invalid option name",
    r"/bin/sh: \S+: not found",
    r"\$'\\r': command not found",
)
PRINTED = "exec /app/entrypoint.sh: no such file or directory"
WHEN = "at every start"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY --chmod=755 . .\nENTRYPOINT ["/app/entrypoint.sh"]\n',
    "entrypoint.sh": "#!/bin/sh\r\nset -e\r\nexec gunicorn shop.wsgi\r\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "entrypoint.sh": BAD["entrypoint.sh"].replace("\r\n", "\n")}
AT = "entrypoint.sh:1"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield scripts with a carriage return that take part in a start."""
    for service in project.services:
        image = project.image(service)
        for use in project.start(service).scripts:
            text = project.read(use.path) or ""
            if "\r\n" not in text or (image is not None and _converted(image, use)):
                continue
            yield Problem(
                Place(use.path, 1),
                f"{use.path} has Windows line endings: {_effect(use)}.",
                f"convert it (dos2unix {use.path}) and add a line to .gitattributes: *.sh text eol=lf",
                (use.place,),
                (
                    Edit(use.path, 0, len(text), text.replace("\r\n", "\n")),
                    *_pinned(project, use.path),
                ),
                printed=_printed(use),
            )


def _effect(use: ScriptUse) -> str:
    if not use.by_shell:
        return "the system looks for an interpreter whose name ends in a carriage return"
    return "each line of it ends in a character that the shell takes for a part of the last word"


def _printed(use: ScriptUse) -> str:
    if not use.by_shell:
        return f"exec {use.target}: no such file or directory"
    strict = next((one.line for one in use.parsed.commands if one.name == "set"), 0)
    return f"{use.target}: {strict}: set: Illegal option -" if strict else ""


def _converted(image: Image, use: ScriptUse) -> bool:
    copy = image.origin(use.target)
    after = copy.order if copy is not None else 0
    name = re.escape(use.target.rpartition("/")[2])
    for run in image.runs:
        text = run.script.text
        if (
            run.order > after
            and re.search(r"dos2unix|\\r", text)
            and re.search(name + r"|\*\.sh|\*|-exec|xargs", text)
        ):
            return True
    return False


def _pinned(project: ProjectFiles, path: str) -> tuple[Edit, ...]:
    if project.attributes.pins_lf(path):
        return ()
    text = project.read(".gitattributes") or ""
    lead = "\n" if text and not text.endswith("\n") else ""
    return (Edit(".gitattributes", len(text), len(text), lead + "*.sh text eol=lf\n"),)
