"""Functions of other modules of the project, that a migration imports."""

from __future__ import annotations

import ast
import hashlib
import os
from typing import NamedTuple

from tidegate.reading import newersyntax
from tidegate.reading.encodings import decoded
from tidegate.reading.migrations.declaring import module_scope
from tidegate.reading.migrations.scopes import Scope
from tidegate.reading.migrations.values import is_projects

LARGEST = 300_000  # bytes of a module that is read


class Read(NamedTuple):
    """A module that a migration was read with: when it changes, so does what the migration does."""

    file: str
    size: int
    time: int
    digest: str


def imported(name: str, scope: Scope) -> tuple[ast.FunctionDef, Scope] | None:
    """Return a function of the project by its full name, and the scope of its module."""
    if scope.load is None or not is_projects(name):
        return None
    module, _, last = name.rpartition(".")
    found = scope.load(module)
    if found is None and "." in module:  # a method
        module, _, owner = module.rpartition(".")
        found, last = scope.load(module), f"{owner}.{last}"
    function = found.functions.get(last) if found is not None else None
    if found is None or function is None:
        return None
    return function, scope.inside(found)


class Modules:
    """The project's modules for one file, as its imports name them.

    `taken` keeps what was read of a module for the other files of the same review.
    """

    def __init__(
        self, root: str, home: str, path: str, taken: dict[str, tuple[Scope, Read] | None]
    ) -> None:
        around = os.path.dirname(os.path.dirname(path))
        folders = (home.strip("/"), "", "src", around, os.path.dirname(around))
        self.root = root
        self.folders = tuple(dict.fromkeys(folders))
        self.package = os.path.dirname(path)
        self.taken = taken
        self.read: dict[str, Read] = {}
        self.missing: set[str] = set()

    def load(self, module: str) -> Scope | None:
        """Return the scope of a module; None where it is not of the project."""
        if module in self.missing:
            return None
        for base in self._places(module):
            for ending in (".py", "/__init__.py"):
                file = os.path.join(self.root, base) + ending
                if file not in self.taken:
                    self.taken[file] = _taken(file)
                found = self.taken[file]
                if found is not None:
                    self.read[file] = found[1]
                    return found[0]
        self.missing.add(module)
        return None

    def _places(self, module: str) -> list[str]:
        dots = len(module) - len(module.lstrip("."))
        inside = module[dots:].replace(".", "/")
        if not dots:
            return [os.path.join(folder, inside) for folder in self.folders]
        folder = self.package
        for _ in range(dots - 1):
            folder = os.path.dirname(folder)
        return [os.path.join(folder, inside)]


def _taken(file: str) -> tuple[Scope, Read] | None:
    try:
        stat = os.stat(file)
        if stat.st_size > LARGEST:
            return None
        with open(file, "rb") as opened:
            data = opened.read()
        tree = newersyntax.parse(decoded(data)[0])
    except (OSError, SyntaxError, ValueError):
        return None
    digest = hashlib.sha256(data).hexdigest()
    return module_scope(tree), Read(file, stat.st_size, stat.st_mtime_ns, digest)
