"""The container starts with a file that is neither copied nor mounted.

The Dockerfile sets a working directory and a command, and forgets the COPY; or a `.dockerignore` leaves the file out; or a Compose file for production dropped the mount that development has.
It is silent where a build step may bring the file: other stages, archives, downloads, packages.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import facts, words
from tidegate.reading.project.image import Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Service

SEVERITY = "error"
ERRORS = (
    r"can't open file '\S*\.py'",
    r"stat \S+: no such file or directory",
    r"(sh|bash): (\d+: )?(cannot open|can't open) \S+",
    r"exec \S+: no such file or directory",
)
PRINTED = "python: can't open file '/app/manage.py': [Errno 2] No such file or directory"
WHEN = "at every start"
BAD = {
    "manage.py": "print()\n",
    "requirements.txt": "",
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY requirements.txt .\nCMD ["python", "manage.py", "runserver"]\n',
    "compose.yaml": "services:\n  web:\n    build: .\n",
}
GOOD = {**BAD, "compose.yaml": BAD["compose.yaml"] + "    volumes:\n      - .:/app\n"}
AT = "Dockerfile:4"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield start files that the image does not get and no mount gives."""
    for service in facts.built(project):
        image = project.image(service)
        assert image is not None
        start = project.start(service)
        place = start.entrypoint_place if start.entrypoint else start.command_place
        for path in _started(image, start.argv):
            if _there(project, service, image, path) or _may_be_made(image, path):
                continue
            pattern = _ignored(project, image, posixpath.basename(path))
            why = f"{image.ignore.path} leaves it out" if pattern else "nothing copies or mounts it"
            also = (
                Place(image.ignore.path, pattern)
                if pattern
                else Place(image.path, image.stage.line)
            )
            yield Problem(
                place,
                f"{service.name} starts with {path}, and {why}.",
                "take the pattern out"
                if pattern
                else f"add COPY . {image.workdir} to {image.path}",
                (also,),
            )


def _started(image: Image, argv: tuple[str, ...]) -> list[str]:
    rest = words.unwrapped(argv)[:2]
    named = [word for word in rest if word.endswith((".py", ".sh")) and "$" not in word]
    return [image.absolute(word) for word in named]


def _there(project: ProjectFiles, service: Service, image: Image, path: str) -> bool:
    mounted = any((path + "/").startswith(one.target.rstrip("/") + "/") for one in service.mounts)
    return mounted or image.origin(path) is not None


def _may_be_made(image: Image, path: str) -> bool:
    """Whether something that we cannot follow may bring the file."""
    name = posixpath.basename(path)
    unknown = any(one.instruction.flag("from") or "*" in one.source for one in image.copies)
    archives = any(one.instruction.name == "ADD" for one in image.copies)
    brought = re.search(
        r"git clone|curl|wget|unzip|\btar\b|django-admin|cp |mv |ln ", image.run_words()
    )
    official = image.base.split(":")[0] in ("python", "debian", "ubuntu", "alpine")
    return unknown or archives or bool(brought) or name in image.run_words() or not official


def _ignored(project: ProjectFiles, image: Image, name: str) -> int:
    """Return the line of the ignore file that leaves the file out; 0 where none does."""
    for path in project.paths:
        if posixpath.basename(path) == name:
            found = image.ignore.decisive(path[len(image.context) :].lstrip("/"))
            if found is not None:
                return found.line
    return 0
