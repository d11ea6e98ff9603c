"""Which modules looked at the environment while they were imported, and which need those.

A forked child may find a library imported already, so that it answers sooner. One that has read
the environment by then would answer every question with what it read first: settings that are
installed beside the libraries, as `pip install .` does, and whatever imports from them.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any

# What these read while they are imported says nothing of a login, and they take long to import.
KNOWN = {
    "alembic", "asgiref", "asyncpg", "celery", "django", "dotenv", "environ", "kombu", "psycopg",
    "psycopg2", "psycopg_binary", "psycopg_c", "pydantic", "pydantic_core", "pydantic_settings",
    "redis", "sqlalchemy", "sqlmodel", "tidegate",
}  # fmt: skip


class Imports:
    """Notes who imports whom, and who looks at the environment meanwhile, while it is entered."""

    def __init__(self) -> None:
        self._needed_by: dict[str, set[str]] = {}
        self._readers: set[str] = set()
        self._import = builtins.__import__
        self._import_module = importlib.import_module

    def __enter__(self) -> Imports:
        builtins.__import__ = self._noted
        importlib.import_module = self._noted_module
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        builtins.__import__ = self._import
        importlib.import_module = self._import_module

    def looked_up(self, frame: FrameType | None) -> None:
        """The environment is looked at: the innermost module that is being imported did it."""
        importing = _importing(frame)
        if importing and _top(importing) not in KNOWN | sys.stdlib_module_names:
            self._readers.add(importing)

    @property
    def readers(self) -> set[str]:
        """The modules that have looked at the environment while they were imported."""
        return set(self._readers)

    def fresh(self, names: Sequence[str]) -> list[str]:
        """Return those of `names` that have nothing from a reader."""
        for name in [*sys.modules]:  # a module comes after its package
            self._needed_by.setdefault(name.rpartition(".")[0], set()).add(name)
        touched: set[str] = set()
        todo = [*self._readers]
        while todo:
            name = todo.pop()
            if name not in touched:
                touched.add(name)
                todo += self._needed_by.get(name, ())
        return [name for name in names if name not in touched]

    def _noted(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        module = self._import(name, globals, locals, fromlist or (), level)
        if globals is not None:
            whole = _absolute(name, globals, level)
            self._note(str(globals.get("__name__")), whole)
            for one in fromlist or ():
                self._note(str(globals.get("__name__")), f"{whole}.{one}")
        return module

    def _noted_module(self, name: str, package: str | None = None) -> Any:
        module = self._import_module(name, package)
        if importer := _importing(sys._getframe(1)):
            self._note(importer, module.__name__)
        return module

    def _note(self, importer: str, name: str) -> None:
        if name in sys.modules:
            self._needed_by.setdefault(name, set()).add(importer)


def own_packages(root: str, environ: Mapping[str, str]) -> set[str]:
    """Return the packages that are the project's, wherever they are installed."""
    found = {_top(environ.get("DJANGO_SETTINGS_MODULE", ""))} - {""}
    for folder in (root, os.path.join(root, "src")):
        try:
            inside = [one.name for one in os.scandir(folder) if one.is_dir()]
        except OSError:
            continue
        found |= {name for name in inside if name.isidentifier() and name != "src"}
    return found - KNOWN


def _importing(frame: FrameType | None) -> str:
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            return str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return ""


def _absolute(name: str, globals: Mapping[str, object], level: int) -> str:
    if not level:
        return name
    package = str(globals.get("__package__") or globals.get("__name__"))
    parts = package.split(".")
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, name] if name else base)


def _top(name: str) -> str:
    return name.partition(".")[0]
