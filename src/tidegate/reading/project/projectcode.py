"""The project's code as values: migrations, revisions, packages, and Python that checks look at."""

from __future__ import annotations

import posixpath
import re
from functools import cached_property
from typing import TYPE_CHECKING

from tidegate.reading.project import (
    alembicfiles,
    gitattributes,
    graph,
    ignore,
    pycode,
    requirements,
)

_REQUIREMENTS = re.compile(
    r"(requirements[\w.-]*\.(txt|in)|pyproject\.toml|uv\.lock|poetry\.lock"
    r"|(base|prod|production|local|dev|common)\.txt)$"
)


class CodeOfProject:
    """The part of a project's files that has to do with its code, and with what git says of it."""

    if TYPE_CHECKING:
        _revisions: dict[str, list[graph.Migration]]

        @cached_property
        def paths(self) -> tuple[str, ...]:
            """Every file of the project."""

        @cached_property
        def manage(self) -> str:
            """The path of manage.py."""

        def read(self, path: str) -> str | None:
            """Return a file's text."""

        def named(self, *names: str) -> list[str]:
            """Return the files with one of these names."""

    @cached_property
    def app_migrations(self) -> dict[str, list[graph.Migration]]:
        """Django's migrations by app folder."""
        if not self.manage:
            return {}
        wanted = [
            path for path in self.paths if "/migrations/" in "/" + path and path.endswith(".py")
        ]
        return graph.django(wanted, {path: self.read(path) or "" for path in wanted})

    def app_label(self, folder: str) -> str:
        """Return how Django calls the app in a folder."""
        config = self.read(f"{folder}/apps.py") or ""
        return graph.label_of(folder, self.app_migrations.get(folder, []), config)

    @cached_property
    def alembics(self) -> tuple[alembicfiles.Alembic, ...]:
        """The project's Alembic environments."""
        found = [alembicfiles.load(path, self.read) for path in self.named("alembic.ini")]
        return tuple(one for one in found if one is not None)

    def revisions(self, one: alembicfiles.Alembic) -> list[graph.Migration]:
        """Return an environment's revisions."""
        if one.folder not in self._revisions:
            self._revisions[one.folder] = self._read_revisions(one)
        return self._revisions[one.folder]

    def _read_revisions(self, one: alembicfiles.Alembic) -> list[graph.Migration]:
        folder = posixpath.join(one.folder, "versions") + "/"
        wanted = [path for path in self.paths if path.startswith(folder) and path.endswith(".py")]
        return graph.alembic(wanted, {path: self.read(path) or "" for path in wanted})

    @cached_property
    def requirements(self) -> dict[str, requirements.Requirement]:
        """The packages that the project installs."""
        found = [
            path for path in self.paths
            if path.count("/") <= 2 and _REQUIREMENTS.match(posixpath.basename(path))
        ]  # fmt: skip
        return requirements.read(found, self.read)

    @cached_property
    def python(self) -> tuple[pycode.Module, ...]:
        """The project's own Python files that name what checks look for, without tests."""
        out = []
        for path in self.paths:
            parts = path.split("/")
            if (
                not path.endswith(".py")
                or "migrations" in parts
                or "tests" in parts
                or "versions" in parts
            ):
                continue
            if parts[-1].startswith("test_"):
                continue
            text = self.read(path)
            if text and (
                "advisory" in text
                or "health" in text
                or "models.Model" in text
                or "AbstractUser" in text
                or "AbstractBaseUser" in text
                or "flask_migrate" in text
                or "alembic" in text
                or "create_all" in text
                or "call_command" in text
            ):
                out.append(pycode.read(text, path))
        return tuple(out)

    @cached_property
    def attributes(self) -> gitattributes.Attributes:
        """The root's .gitattributes."""
        return gitattributes.parse(self.read(".gitattributes") or "")

    @cached_property
    def gitignore(self) -> ignore.Ignore:
        """The root's .gitignore."""
        return ignore.parse(self.read(".gitignore") or "", ".gitignore", git=True)
