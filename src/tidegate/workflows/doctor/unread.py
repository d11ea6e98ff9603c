"""What doctor could not see: a folder with nothing in it for us, and files that are closed."""

from __future__ import annotations

import re

from tidegate.errors import UsageProblem
from tidegate.reading.project.project import ProjectFiles

NOT_TEXT = "it is not UTF-8 text"


def insist(project: ProjectFiles) -> None:
    """Raise UsageProblem where there is nothing to look at: silence would read as "all is well"."""
    seen = (
        project.stacks or project.dockerfiles or project.manage or project.alembics
        or project.workloads
    )  # fmt: skip
    if not seen and not project.unread:
        raise UsageProblem(
            f"there is nothing for doctor to look at in {project.root}",
            "It reads Compose files, Dockerfiles, manage.py, alembic.ini and Kubernetes manifests.",
            "run it in the project's folder, or name that with --project DIR",
        )


def needed(project: ProjectFiles) -> dict[str, str]:
    """Return what is there, may not be read, and would have to be for a true answer."""
    folders = [path for path in project.unread if path.endswith("/")]
    out = {}
    for path, why in sorted(project.unread.items()):
        if path.endswith("/"):
            wanted = _code(project, path)
        else:
            inside = path.startswith(tuple(folders)) if folders else False
            wanted = not inside and (why != NOT_TEXT or path in project.dockerfiles)
        if wanted:
            out[path] = why
    return out


def aside(project: ProjectFiles) -> dict[str, str]:
    """Return the closed folders that need not matter, such as a database's own."""
    return {
        path: why
        for path, why in sorted(project.unread.items())
        if path.endswith("/") and not _code(project, path) and not _mounted(project, path)
    }


def lines(closed: dict[str, str], root: str) -> list[str]:
    """Return the error for people: each path with the reason, and what to do."""
    return [
        f"doctor can't judge {root} without what it can't read",
        *(f"  {path}: {why[:1].lower() + why[1:]}" for path, why in closed.items()),
        "  next: let this user read it (chmod u+rX), or run as one who may",
    ]


def _code(project: ProjectFiles, folder: str) -> bool:
    """Whether the settings, the migrations or a build lie in a folder."""
    named = re.findall(
        r"""DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([\w.]+)['"]""", project.read(project.manage) or ""
    ) if project.manage else []  # fmt: skip
    above = project.manage.rpartition("/")[0]
    code = [f"{above}/{one.split('.')[0]}".lstrip("/") for one in named]
    code += [one.folder for one in project.alembics if one.folder]
    code += [service.build[0] for service in project.services if service.build]
    return any((one + "/").startswith(folder) for one in code if one)


def _mounted(project: ProjectFiles, folder: str) -> bool:
    return any(
        mount.kind == "bind" and (folder.startswith(mount.source.rstrip("/") + "/"))
        for service in project.services
        for mount in service.mounts
    )
