"""The start script has no execute bit where the container runs it.

In exec form the engine runs the file itself, and refuses without the bit.
A `chmod` in the Dockerfile helps only after the last COPY of the file, and not where a bind mount puts the host's file over it.
It is silent where the script is given to a shell (`sh script`), where COPY sets the mode, and where a later RUN does.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project.acts import ScriptUse
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"exec: \"?\S+?\"?: permission denied",
    r"exec\b[^\n]*permission denied",
    r"permission denied: unknown",
    r"\.sh: Permission denied",
)
PRINTED = 'exec: "/app/entrypoint.sh": permission denied: unknown'
WHEN = "at every start"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY entrypoint.sh .\nRUN chmod +x entrypoint.sh\nCOPY . .\nENTRYPOINT ["/app/entrypoint.sh"]\n',
    "entrypoint.sh": "#!/bin/sh\nset -e\nexec gunicorn shop.wsgi\n",
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {
    **BAD,
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN chmod +x entrypoint.sh\nENTRYPOINT ["/app/entrypoint.sh"]\n',
}
AT = "Dockerfile:6"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield scripts that are executed and lack the bit."""
    for service in project.services:
        image = project.image(service)
        for use in project.start(service).scripts:
            if use.by_shell or os.name == "nt" or os.access(project.root / use.path, os.X_OK):
                continue
            mounted = _mounted(service, use)
            if not mounted and image is not None and _given(image, use):
                continue
            why = (
                "the mount shows the host's file"
                if mounted
                else "nothing sets it after the last COPY"
            )
            yield Problem(
                use.place,
                f"{use.target} is executed without an execute bit: {use.path} has none, and {why}.",
                f"chmod +x {use.path} && git update-index --chmod=+x {use.path}",
                (Place(use.path, 1, note="mode 644"),),
                (Edit(use.path, executable=True),),
                printed=f'exec: "{use.target}": permission denied',
            )


def _mounted(service: Service, use: ScriptUse) -> bool:
    return any(
        one.kind == "bind"
        and (use.target == one.target or use.target.startswith(one.target.rstrip("/") + "/"))
        for one in service.mounts
    )


def _given(image: Image, use: ScriptUse) -> bool:
    """Whether COPY --chmod or a later chmod gives the bit."""
    copy = image.origin(use.target)
    if copy is None:
        return True
    if copy.mode:
        return copy.mode.endswith("x") or any(
            int(digit, 8) & 1 for digit in copy.mode if digit.isdigit() and digit < "8"
        )
    for run in image.runs:
        if run.order < copy.order:
            continue
        for command in run.script.flat():
            if command.name in ("chmod", "install") and _names(
                command.words[1:], use.target, run.workdir
            ):
                return True
            if "chmod" in command.words and re.search(
                r"[+=][rwX]*x|7[0-7]{2}", " ".join(command.words)
            ):
                return True  # find … -exec chmod, xargs chmod
    return False


def _names(rest: tuple[str, ...], target: str, workdir: str) -> bool:
    recursive = any(word.startswith("-") and "R" in word for word in rest)
    for word in rest:
        path = posixpath.normpath(posixpath.join(workdir, word))
        if fnmatch.fnmatch(target, path) or (
            recursive and target.startswith(path.rstrip("/") + "/")
        ):
            return True
    return False
