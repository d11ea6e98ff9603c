"""Finds the migration files of a project: by their folders, without importing anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from tidegate.workflows.check.alembic_places import Place, places

SKIPPED = {"node_modules", "__pycache__", "venv", "env", "site-packages", "build", "dist",
           "static", "staticfiles", "media", "locale", "templates", "fixtures"}  # fmt: skip
LABEL = re.compile(r"""^\s+label\s*=\s*["'](\w+)["']""", re.MULTILINE)
NUMBERED = re.compile(r"^\d{3,}_\w+\.py$")
ALEMBIC = re.compile(r"^(down_)?revision\b", re.MULTILINE)


class Source(NamedTuple):
    """One file that may be a migration. `path` is relative to the root, with `/`."""

    framework: str
    group: str  # Django: the app's label; Alembic: the folder of the environment
    home: str  # Django: the folder of the manage.py above it
    name: str
    path: str
    file: str
    size: int
    time: int
    mode: int = 0


def find(root: str) -> list[Source]:
    """Return every file under `root` that is in a place for migrations."""
    configured: list[Place] = []
    found = {one.path: one for one in _walk(root, root, "", configured)}
    walked = {one.group for one in found.values() if one.framework == "alembic"}
    for place in configured:
        group = _group(root, place.environment)
        for folder in (place.environment, *place.versions):
            if folder == place.environment and group in walked:
                continue
            for one in _alembic(root, folder, group, folder == place.environment):
                if one.path not in found or found[one.path].framework == "django":
                    found[one.path] = one
    return sorted(found.values(), key=lambda one: one.path)


def is_project(root: str) -> bool:
    """Whether there is a place for migrations, be it empty."""
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders if not one.startswith(".") and one not in SKIPPED]
        if "pyvenv.cfg" in names:
            folders[:] = []
            continue
        package = os.path.basename(folder) == "migrations" and "__init__.py" in names
        if package or "manage.py" in names or {"env.py", "script.py.mako"} <= set(names):
            return True
        if places(folder, set(names), root):
            return True
    return False


def _walk(root: str, folder: str, home: str, configured: list[Place]) -> Iterator[Source]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    folders = [
        one
        for one in entries
        if one.is_dir(follow_symlinks=False)
        and not one.name.startswith(".")
        and one.name not in SKIPPED
    ]
    files = [one for one in entries if one.name.endswith(".py") and one.is_file()]
    names = {one.name for one in files}
    everything = {one.name for one in entries}
    if "pyvenv.cfg" in everything:
        return
    configured += places(folder, everything, root)
    if "manage.py" in names:
        home = folder[len(root) :]
    if "env.py" in names and "script.py.mako" in everything:
        yield from _alembic(root, folder, _group(root, folder), True)
        return
    moved = any(map(NUMBERED.match, names)) and not any(one.name == "migrations" for one in folders)
    if os.path.basename(folder).endswith("migrations") or moved:
        app = _label(os.path.dirname(folder))
        for one in files:
            if one.name[0] not in "_~" and one.name != "__init__.py":
                yield _source("django", app, home, root, one)
    for one in folders:
        yield from _walk(root, one.path, home, configured)


def _label(folder: str) -> str:
    """Return an app's label: its AppConfig's, or its folder's name."""
    try:
        with open(os.path.join(folder, "apps.py"), encoding="utf-8") as file:
            match = LABEL.search(file.read())
    except (OSError, UnicodeDecodeError):
        match = None
    return match.group(1) if match else os.path.basename(folder)


def _group(root: str, folder: str) -> str:
    return os.path.relpath(folder, root).replace(os.sep, "/")


def _alembic(root: str, folder: str, group: str, is_environment: bool) -> Iterator[Source]:
    for base, folders, _ in os.walk(folder):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        if is_environment and base == folder:
            continue
        for one in sorted(os.scandir(base), key=lambda entry: entry.name):
            if one.name.endswith(".py") and one.is_file() and one.name != "__init__.py":
                yield _source("alembic", group, "", root, one)


def _source(framework: str, group: str, home: str, root: str, entry: os.DirEntry[str]) -> Source:
    stat = entry.stat()
    path = entry.path[len(root) :].replace(os.sep, "/").lstrip("/")
    return Source(
        framework,
        group,
        home,
        entry.name[:-3],
        path,
        entry.path,
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_mode,
    )
