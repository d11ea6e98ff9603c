"""The Python that has the app's packages, where the image's first one has none of them.

An image built with Poetry, uv or a plain `venv` often keeps them in an environment beside the code,
or in the tool's own folder, and never puts that on its PATH. The one-file inside then goes on as
that environment's Python.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

FRAMEWORKS = ("django", "alembic")
FOLDERS = (".venv", "venv", "env")
ELSEWHERE = ("/venv", "/.venv", "/opt/venv", "/opt/.venv", "/env")
NAMED = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")  # variables with the path of one environment
# Poetry and Pipenv keep an environment for each project below a folder of their own: a variable
# that names it, and where it is otherwise, below the home folder.
COLLECTIONS = (
    ("POETRY_VIRTUALENVS_PATH", ".cache/pypoetry/virtualenvs"),
    ("WORKON_HOME", ".local/share/virtualenvs"),
)
TOLD = "TIDEGATE_PYTHON_CHOSEN"  # against going round in a circle


def become_the_projects_own(argv: list[str], environ: Mapping[str, str]) -> None:
    """Replace this process by the environment's Python, if that has what this one lacks."""
    if environ.get(TOLD) or _here():
        return
    python = elsewhere(os.getcwd(), environ)
    if python:
        os.execve(python, [python, *argv], {**environ, TOLD: python})


def beside() -> str:
    """Return the Python to use in place of this one; an empty string where this one is right."""
    return "" if _here() else elsewhere(os.getcwd(), os.environ)


def elsewhere(folder: str, environ: Mapping[str, str]) -> str:
    """Return the Python of the first environment with a framework, or an empty string."""
    for place in _places(folder, environ):
        python = os.path.join(place, "bin", "python")
        if os.access(python, os.X_OK) and _holds(os.path.join(place, "lib")):
            return python
    return ""


def _here() -> bool:
    from importlib.util import find_spec

    return any(find_spec(name) is not None for name in FRAMEWORKS)


def _places(folder: str, environ: Mapping[str, str]) -> Iterator[str]:
    for name in NAMED:
        if environ.get(name):
            yield os.path.join(folder, environ[name])
    for parent in (folder, os.path.dirname(folder)):
        for name in FOLDERS:
            yield os.path.join(parent, name)
    yield from ELSEWHERE
    yield from _collected(environ)


def _collected(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the environments of the tools' own folders, where there is no doubt which."""
    home = environ.get("HOME") or "/root"
    for variable, usual in COLLECTIONS:
        place = environ.get(variable) or os.path.join(home, usual)
        try:
            found = [one.path for one in os.scandir(place) if one.is_dir()]
        except OSError:
            continue
        if len(found) == 1:
            yield found[0]


def _holds(lib: str) -> bool:
    try:
        versions = [name for name in os.listdir(lib) if name.startswith("python")]
    except OSError:
        return False
    return any(
        os.path.isdir(os.path.join(lib, version, "site-packages", name))
        for version in versions
        for name in FRAMEWORKS
    )
