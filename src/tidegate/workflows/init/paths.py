"""Where static files and media lie in the container: where the settings say."""

from __future__ import annotations

import posixpath

from tidegate.reading.project.project import ProjectFiles

WORKDIR = "/app"
# What the Compose file gives to settings that read these names.
GIVEN = {"STATIC_ROOT": "/srv/static", "MEDIA_ROOT": "/srv/media"}


def of_code(project: ProjectFiles) -> str:
    """Return the folder whose modules the project imports by their own names; empty for the root."""
    if project.manage:
        return posixpath.dirname(project.manage)
    ini = project.alembics[0].ini if project.alembics else ""
    found = posixpath.dirname(ini)
    # Flask-Migrate keeps alembic.ini beside env.py, below the code.
    beside = posixpath.join(found, "env.py") in project.path_set
    folder = posixpath.dirname(found) if found and beside else found
    while beside and folder and posixpath.join(folder, "__init__.py") in project.path_set:
        folder = posixpath.dirname(folder)  # a package is imported from the folder above it
    return folder


def folder(project: ProjectFiles, name: str) -> str:
    """Return STATIC_ROOT or MEDIA_ROOT as the container sees it; empty where it is not set."""
    settings = project.settings
    if settings is None or settings.last(name) is None:
        return ""
    value = settings.value(name, GIVEN)
    if not isinstance(value, str):
        return GIVEN[name]
    if value.startswith("/@/"):
        return posixpath.normpath(posixpath.join(WORKDIR, value[3:].lstrip("/")))
    return posixpath.normpath(posixpath.join(WORKDIR, value)) if value else ""


def below_code(path: str) -> str:
    """Return a folder of the container relative to the project; empty where it lies elsewhere."""
    return path[len(WORKDIR) + 1 :] if path.startswith(WORKDIR + "/") else ""
