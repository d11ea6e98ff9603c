"""The Python of a project without containers: the first one that has its framework."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidegate.errors import UsageProblem
from tidegate.model.command import Command
from tidegate.process import present, run

FOLDERS = (".venv", "venv", "env")
ACTIVE = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX")
# Tools that keep the environment elsewhere: a file that tells of one, its table in pyproject.toml
# where a lock file is not committed, and how it is asked where.
KEEPERS = (
    ("poetry.lock", "[tool.poetry", ("poetry", "env", "info", "--path")),
    ("Pipfile", "", ("pipenv", "--venv")),
    ("pdm.lock", "[tool.pdm", ("pdm", "info", "--python")),
)
PIP = ".venv\\Scripts\\pip" if os.name == "nt" else ".venv/bin/pip"
# How the environment of a project is made that has none yet.
MADE = (
    ("uv.lock", "", "uv sync"),
    ("poetry.lock", "[tool.poetry", "poetry install"),
    ("Pipfile.lock", "", "pipenv sync"),
    ("Pipfile", "", "pipenv install"),
    ("pdm.lock", "[tool.pdm", "pdm install"),
    ("requirements.txt", "", f"python -m venv .venv, then {PIP} install -r requirements.txt"),
)
PROBE = "import importlib.util as u, sys; sys.exit(not any(map(u.find_spec, sys.argv[1:])))"


def _is_django(manage: Path) -> bool:
    """Whether a manage.py is Django's: Flask projects have one of that name as well."""
    try:
        text = manage.read_text("utf-8", "replace").lower()
    except OSError:
        return False
    return "django" in text or "flask" not in text


def own_python(root: Path, environ: Mapping[str, str], given: str = "") -> str:
    """Return the project's Python: named, active, the project's own, ours, or the PATH's.

    Raises UsageProblem where none of them has the framework.
    """
    wanted = ("django",) if _is_django(root / "manage.py") else ("alembic", "django")
    if given:
        named = _inside(Path(given)) or shutil.which(given) or given
        if not _has(named, wanted):
            raise UsageProblem(
                f"{given} can't be started, or has no {_named(wanted)}",
                "The project's own code and its steps run by it.",
                "name the Python of the project's environment with --python PATH",
            )
        return named
    for python in dict.fromkeys(_candidates(root, environ)):
        if _has(python, wanted):
            return python
    raise UsageProblem(
        f"no Python with {_named(wanted)} was found for {root}",
        "tidegate looked at the active environment, at .venv, venv and env here and above, at "
        "those of Poetry, Pipenv and PDM, at its own Python, and at the PATH's.",
        f"{_make(root)}name the project's Python with --python PATH",
    )


def _named(wanted: tuple[str, ...]) -> str:
    return "Django" if wanted == ("django",) else "Alembic or Django"


def _make(root: Path) -> str:
    words = next((how for name, table, how in MADE if _kept_by(root, name, table)), "")
    return f"make its environment: {words}\nor " if words else ""


def _candidates(root: Path, environ: Mapping[str, str]) -> Iterator[str]:
    places = [root / environ[name] for name in ACTIVE if environ.get(name)]
    for folder in _upwards(root):
        places += [folder / name for name in FOLDERS]
    yield from filter(None, map(_inside, places))
    for folder in _upwards(root):
        for name, table, words in KEEPERS:
            if _kept_by(folder, name, table) and present(words[0]):
                asked = run(Command(words, cwd=str(folder)), 30).out.strip()
                yield from filter(None, [_inside(Path(asked)) if asked else ""])
    yield sys.executable
    yield shutil.which("python3") or shutil.which("python") or sys.executable


def _kept_by(folder: Path, name: str, table: str) -> bool:
    """Whether a folder is a project of a tool: by its file, or by its table in pyproject.toml."""
    if (folder / name).is_file():
        return True
    settings = folder / "pyproject.toml"
    return bool(table) and settings.is_file() and table in settings.read_text("utf-8", "replace")


def _upwards(root: Path) -> Iterator[Path]:
    """Return the folder and those above it, up to where the repository begins."""
    root = root.resolve()
    for folder in (root, *root.parents):
        yield folder
        if (folder / ".git").exists() or folder == Path.home():
            return
        if folder != root and not any(
            (folder / one).exists() for one in ("pyproject.toml", "uv.lock", *FOLDERS)
        ):
            return  # without a repository: no further than what looks like one project


def _inside(place: Path) -> str:
    """Return an environment's Python, or the Python itself; empty where there is none."""
    for one in (place / "bin" / "python", place / "Scripts" / "python.exe", place):
        if one.is_file() and os.access(one, os.X_OK):
            return str(one)
    return ""


def _has(python: str, wanted: tuple[str, ...]) -> bool:
    if python == sys.executable:
        return any(importlib.util.find_spec(name) for name in wanted)
    folder = Path(python).parent.parent
    kept = [*folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages"]
    if any((one / name).is_dir() for one in kept for name in wanted):
        return True  # as a rule it is seen, and need not be run to be asked
    return run(Command((python, "-c", PROBE, *wanted)), timeout=30.0).ok
