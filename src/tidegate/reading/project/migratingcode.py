"""The project's own code that applies migrations: where it locks, where it builds an index."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.model.finding import Place
from tidegate.reading.project import pycode
from tidegate.reading.project.project import ProjectFiles


def concurrent_migration(project: ProjectFiles) -> Place | None:
    """Return the first migration that works concurrently."""
    revisions = [one for each in project.alembics for one in project.revisions(each)]
    for one in (*revisions, *(m for ms in project.app_migrations.values() for m in ms)):
        if "concurrently" not in one.text.lower():
            continue
        for number, line in enumerate(one.text.split("\n"), 1):
            if "concurrently" in line.lower() and not line.lstrip().startswith(
                ("#", "from", "import")
            ):
                return Place(one.path, number, note="builds an index concurrently")
    return None


def about_migrations(module: pycode.Module) -> bool:
    """Whether a file has to do with applying migrations; an app has locks of its own."""
    name = module.path.rpartition("/")[2]
    return (
        name == "env.py"
        or "migrat" in name
        or bool(
            re.search(
                r"call_command\(.migrate|MigrationExecutor|command\.upgrade\(|alembic", module.text
            )
        )
    )


def python_lines(project: ProjectFiles, text: str) -> Iterator[Place]:
    """Yield the places of the project's own Python that hold `text`."""
    modules: list[pycode.Module] = [*project.python]
    modules += [one.module for one in project.alembics if one.module is not None]
    for module in {one.path: one for one in modules}.values():
        if text not in module.text or not about_migrations(module):
            continue
        for number, line in enumerate(module.text.split("\n"), 1):
            if text in line and not line.lstrip().startswith("#"):
                yield Place(module.path, number)
