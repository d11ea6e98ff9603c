"""Django settings without running them: `from .base import *` is followed, literals are read."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tidegate.reading.project import pycode
from tidegate.reading.project.loaded import Loaded
from tidegate.reading.project.pycode import UNKNOWN, Assigned, EnvRead
from tidegate.reading.project.settingsvalues import Values

_ELSEWHERE = re.compile(
    r"split_settings|DjangoDynaconf|\b(locals|globals)\(\)|\bexec\(|import_module\("
    r"|from configurations"
)
_READER = re.compile(r"\bEnv\(|\bdecouple\b|\benvirons\b|\bFileAwareEnv\(")


@dataclass
class Settings(Values):
    """One settings module with what it imports, later assignments last."""

    module: str
    path: str
    root: str  # the folder that the module's name starts from
    modules: tuple[pycode.Module, ...]
    loaded: Loaded | None = None  # what they said when they were loaded: that is what counts

    def last(self, name: str) -> Assigned | None:
        """Return the assignment that counts: the last unconditional one, else the last."""
        found = self.all(name)
        if self.loaded is not None and name in self.loaded.unset:
            return None
        if self.loaded is not None and name in self.loaded.values and not found:
            return Assigned(name, ast.Constant(None), self.path, 1)  # set in no way that we follow
        sure = [one for one in found if not one.conditional]
        return sure[-1] if sure else found[-1] if found else None

    def all(self, name: str) -> list[Assigned]:
        """Return every assignment of a name, in the order in which they run."""
        return [one for module in self.modules for one in module.assigned if one.name == name]

    def value(self, name: str, environ: Mapping[str, Any] | None = None) -> Any:
        """Return a setting's value under `environ`; UNKNOWN where only running can tell."""
        if self.loaded is not None and name in self.loaded.values:
            return self.loaded.values[name]
        found = self.last(name)
        return self.evaluate(found.value, environ or {}) if found is not None else UNKNOWN

    def conditional(self, name: str) -> bool:
        """Whether a condition may change the setting."""
        if self.loaded is not None and name in self.loaded.values:
            return False
        return any(one.conditional for one in self.all(name))

    @cached_property
    def open_ended(self) -> bool:
        """Whether they take names from where we don't look: what is absent may still be set."""
        if self.loaded is not None and self.loaded.decides:
            return False
        known = ["/" + one.path for one in self.modules]
        for module in self.modules:
            for node in ast.walk(module.tree) if module.tree is not None else ():
                if isinstance(node, ast.ImportFrom) and any(one.name == "*" for one in node.names):
                    tail = "/" + (node.module or "").replace(".", "/")
                    if not any(
                        one.endswith((f"{tail}.py", f"{tail}/__init__.py")) for one in known
                    ):
                        return True
        return any(_ELSEWHERE.search(one.text) for one in self.modules)

    def path_of(self, node: ast.AST) -> str:
        """Return the file in which a node stands."""
        return self._file_names.get(id(node), self.path)

    @cached_property
    def _file_names(self) -> dict[int, str]:
        """Each `__file__` of the modules, by its node."""
        return {
            id(node): module.path
            for module in self.modules
            if "__file__" in module.text and module.tree is not None
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Name) and node.id == "__file__"
        }

    @property
    def reads(self) -> list[EnvRead]:
        """Every environment variable read while the settings load."""
        return [one for module in self.modules for one in module.reads]

    def line(self, name: str) -> tuple[str, int]:
        """Return the file and line of a setting."""
        found = self.last(name)
        return (found.path, found.line) if found is not None else (self.path, 1)


def load(module: str, folder: str, read: Callable[[str], str | None]) -> Settings | None:
    """Return the settings of a dotted module below `folder`; None where there is no such file."""

    def exists(path: str) -> bool:
        return read(path) is not None

    path = pycode.module_path(module, (folder,), exists)
    if not path:
        return None
    modules: list[pycode.Module] = []
    _gather(path, folder, read, exists, modules, set())
    if not any(_READER.search(one.text) for one in modules):
        # `env` and `config` are functions of the project's own: they may have a default inside.
        for one in modules:
            one.reads = [replace(r, required=r.required and not r.via) for r in one.reads]
    for one in modules:
        schemed = _scheme(modules)
        one.reads = [
            replace(r, required=False, default=schemed[r.name]) if r.name in schemed else r
            for r in one.reads
        ]
    return Settings(module, path, folder, tuple(modules))


def _scheme(modules: list[pycode.Module]) -> dict[str, Any]:
    """Return the defaults that `environ.Env(NAME=(type, default))` declares."""
    out: dict[str, Any] = {}
    for module in modules:
        for one in module.assigned:
            if isinstance(one.value, ast.Call) and pycode.dotted(one.value.func) in (
                "environ.Env",
                "Env",
                "environ.FileAwareEnv",
            ):
                for keyword in one.value.keywords:
                    pair = keyword.value.elts if isinstance(keyword.value, ast.Tuple) else []
                    if keyword.arg and len(pair) == 2:
                        out[keyword.arg] = pycode.literal(pair[1])
    return out


def _gather(
    path: str, folder: str, read: Any, exists: Any, out: list[pycode.Module], seen: set[str]
) -> None:
    if path in seen:
        return
    seen.add(path)
    module = pycode.read(read(path) or "", path)
    for node in module.tree.body if module.tree else ():
        inner = node.body if isinstance(node, (ast.If, ast.Try)) else [node]
        for one in inner:
            if isinstance(one, ast.ImportFrom) and any(name.name == "*" for name in one.names):
                found = _imported(one, path, folder, exists)
                if found:
                    _gather(found, folder, read, exists, out, seen)
    out.append(module)


def _imported(node: ast.ImportFrom, path: str, folder: str, exists: Any) -> str:
    if not node.level:
        return pycode.module_path(node.module or "", (folder,), exists)
    where = posixpath.dirname(path)
    for _ in range(node.level - 1):
        where = posixpath.dirname(where)
    return pycode.module_path(node.module or "__init__", (where,), exists)
