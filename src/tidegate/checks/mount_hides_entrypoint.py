"""A mount lies over the folder in which the start script was installed.

The image has the script; the container sees the mounted folder instead, and the script is not in it.
Install it outside of the mounted tree, such as in /usr/local/bin, or mount less.
It is silent where the mounted folder has the script at the same place.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace

from tidegate.contracts.check import Problem
from tidegate.reading.project import edits, facts, words
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.image import Copy, Image
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import Mount, Service

SEVERITY = "error"
ERRORS = (
    r"stat \S+: no such file or directory",
    r"exec: \"?\S+\"?: (stat \S+: )?no such file or directory",
    r"can't open file '\S*manage\.py'",
    r"(sh|bash): (\d+: )?(cannot open|can't open) \S+",
)
PRINTED = 'exec: "/app/entrypoint.sh": stat /app/entrypoint.sh: no such file or directory'
WHEN = "at every start with the mount; the image alone starts well"
BAD = {
    "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY --chmod=755 docker/entrypoint.sh /app/entrypoint.sh\nENTRYPOINT ["/app/entrypoint.sh"]\nCMD ["gunicorn", "shop.wsgi"]\n',
    "docker/entrypoint.sh": '#!/bin/sh\nset -e\nexec "$@"\n',
    "compose.yaml": "services:\n  web:\n    build: .\n    volumes:\n      - .:/app\n",
}
GOOD = {
    **BAD,
    "Dockerfile": BAD["Dockerfile"].replace("/app/entrypoint.sh", "/usr/local/bin/entrypoint.sh"),
}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield mounts over a file that the start needs and that they do not have."""
    for service in facts.built(project):
        image = project.image(service)
        assert image is not None
        start = project.start(service)
        for path in _needed(image, start.argv):
            copy = image.origin(path)
            mount = _over(service, path)
            if copy is None or copy.source not in project.path_set or mount is None:
                continue
            if mount.kind == "bind" and mount.source.startswith(("/", "~")):
                continue
            if mount.kind == "bind" and project.source_of(service, image, path):
                continue
            if mount.kind != "bind":
                continue  # a volume is filled from the image when it is new
            yield Problem(
                mount.item.place,
                f"The mount of {mount.source or '.'} on {mount.target} hides {path}, which {service.name} starts with.",
                f"install it outside of {mount.target}, such as /usr/local/bin/{posixpath.basename(path)},\nor mount a folder that has it",
                (replace(copy.instruction.place, note="installs it there"),),
                _mend(project, image, path, copy),
                printed=f'exec: "{path}": stat {path}: no such file or directory',
            )


def _needed(image: Image, argv: tuple[str, ...]) -> list[str]:
    rest = words.unwrapped(argv)
    named = [word for word in rest[:3] if "/" in word or word.endswith((".sh", ".py"))]
    return [image.absolute(word) for word in named if not word.startswith("-")]


def _over(service: Service, path: str) -> Mount | None:
    found = [
        one
        for one in service.mounts
        if path == one.target or path.startswith(one.target.rstrip("/") + "/")
    ]
    return max(found, key=lambda one: len(one.target)) if found else None


def _mend(project: ProjectFiles, image: Image, path: str, copy: Copy) -> tuple[Edit, ...]:
    """Where the Dockerfile spells the path out everywhere, install the script in /usr/local/bin."""
    file = copy.instruction.path
    text = project.read(file) or ""
    new = "/usr/local/bin/" + posixpath.basename(path)
    spelled = [n for n, line in enumerate(text.split("\n"), 1) if path in line]
    if (
        copy.instruction.line not in spelled
        or image.entrypoint is None
        or image.entrypoint.path != file
        or image.entrypoint.line not in spelled
    ):
        return ()
    return tuple(one for line in spelled for one in edits.swap(file, text, line, path, new))
