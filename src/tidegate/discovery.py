"""Find plugins by walking their folder, when asked, and import only the one that is named."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tidegate.errors import RefusedForGood, UsageProblem

if TYPE_CHECKING:  # whoever asks for one plugin should not wait for the words of the others
    from tidegate.contracts.database import Database
    from tidegate.contracts.framework import Project
    from tidegate.contracts.reporter import Reporter
    from tidegate.model.connection import Connection


def names(package: str) -> list[str]:
    """Return the names of the modules in a plugin folder, sorted."""
    folder = importlib.import_module(f"tidegate.{package}")
    return sorted(found.name for found in pkgutil.iter_modules(folder.__path__))


def modules(package: str) -> Iterator[ModuleType]:
    """Import and yield each module of a plugin folder."""
    for name in names(package):
        yield importlib.import_module(f"tidegate.{package}.{name}")


def find_project(root: Path, environ: Mapping[str, str], framework: str = "") -> Project:
    """Return the project at `root`.

    Raises UsageProblem when there is none, or more than one and no setting says which.
    """
    if framework and framework not in names("frameworks"):
        raise UsageProblem(
            f"framework {framework!r} is not known",
            "It comes from the setting `framework`.",
            "use one of: " + ", ".join(names("frameworks")),
        )
    found: list[Project] = [
        project
        for module in modules("frameworks")
        if not framework or module.__name__.endswith("." + framework)
        if (project := module.find(root, environ)) is not None
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        for module in modules("frameworks"):
            if (problem := module.almost(root)) is not None:
                raise problem
        raise UsageProblem(
            f"no Django or Alembic project was found at {root}",
            "tidegate looks for manage.py, DJANGO_SETTINGS_MODULE, alembic.ini, "
            "[tool.alembic] in pyproject.toml, and migrations/alembic.ini.",
            "run it in the project's folder, or name that with --project DIR",
        )
    both = " and ".join(project.framework for project in found)
    raise UsageProblem(
        f"{root} holds {both}",
        "Only one of them can own the schema.",
        'set framework = "django" or "alembic" under [tool.tidegate] in pyproject.toml',
    )


def reporter(format: str) -> Reporter:
    """Return the reporter for a `--format`. Raises UsageProblem when there is none."""
    known = names("reporters")
    if format not in known:
        raise UsageProblem(
            f"--format {format} is not a report", "", "use one of: " + ", ".join(known)
        )
    module: Any = importlib.import_module(f"tidegate.reporters.{format}")
    found: Reporter = module
    return found


def database(connection: Connection, environ: Mapping[str, str]) -> Database:
    """Return the plugin that speaks to `connection`; its file is named after the vendor."""
    if connection.vendor in names("databases"):
        module: Any = importlib.import_module(f"tidegate.databases.{connection.vendor}")
        if getattr(module, "VENDOR", None) == connection.vendor:
            found: Database = module.database(connection, environ)
            return found
    kind = connection.vendor or connection.driver or "nothing"
    others = f"have {connection.alias} left out: databases = [...] under [tool.tidegate]"
    if kind in ("mysql", "mariadb"):
        others = ("tidegate backup, then the framework's own command; back: tidegate restore "
                  f"BACKUP\nwhere other databases are to be migrated, {others}")  # fmt: skip
    raise RefusedForGood(
        f"database {connection.alias} is on {kind}",
        "This version of tidegate migrates PostgreSQL and SQLite; MySQL and MariaDB it only backs "
        "up and restores. Nothing was changed.",
        others,
    )


def target(root: Path, asked: Any, tables: tuple[Any, Any], environ: Mapping[str, str]) -> Any:
    """Return the target that runs the project at `root`, or None; `tables` are its settings.

    `asked` is a `contracts.target.Asked`, the answer a `contracts.target.Target`: their names are
    not imported here, because the inside imports this file.
    """
    for module in modules("targets"):
        if hasattr(module, "find") and hasattr(module, "NAME"):
            found = module.find(root, asked, *tables, environ)
            if found is not None:
                return found
    return None


def target_signs(root: Path) -> bool:
    """Return whether anything at `root` looks like a target; nothing is started for it."""
    return any(module.signs(root) for module in modules("targets") if hasattr(module, "NAME"))
