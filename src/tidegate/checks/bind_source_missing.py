"""A file that is mounted does not exist on the host.

The engine then makes an empty folder of that name and mounts it: the program finds a folder where it wants a file.
It is silent for files that `.gitignore` leaves out, since each machine makes those itself.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"not a directory: unknown",
    r"Are you trying to mount a directory onto a file",
    r"Is a directory|exec\b[^\n]*permission denied",
)
PRINTED = "Are you trying to mount a directory onto a file (or vice-versa)?"
WHEN = "at every start on a machine that lacks the file"
BAD = {
    "compose.yaml": "services:\n  proxy:\n    image: nginx:1.27\n    volumes:\n      - ./nginx.conf:/etc/nginx/nginx.conf:ro\n"
}
GOOD = {**BAD, "nginx.conf": "events {}\n"}
AT = "compose.yaml:5"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield bind mounts of files that are not there."""
    for service in project.services:
        for mount in service.mounts:
            source = mount.source
            if mount.kind != "bind" or source.startswith(("/", "~", "..")) or "$" in mount.item.raw:
                continue
            name, target = posixpath.basename(source), posixpath.basename(mount.target)
            is_file = (
                "." in name.lstrip(".")
                and posixpath.splitext(name)[1] == posixpath.splitext(target)[1]
            )
            skipped = any(part in ("dist", "build", "env", "venv") for part in source.split("/"))
            if not is_file or skipped or source in project.path_set or source in project.folders:
                continue
            if (project.root / source).exists() or project.gitignore.ignores(source):
                continue
            yield Problem(
                mount.item.place,
                f"{source} is mounted into {service.name} and does not exist: the engine makes an empty folder of that name.",
                f"add {source} to the project, or correct the path",
                severity="info" if service.get("profiles") is not None else "",
            )
