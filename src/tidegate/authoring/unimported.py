"""Classes for tables in modules that nothing imports: read as source, never imported.

A table whose class was not imported looks to autogenerate like one that is to be dropped.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

IGNORED = {"node_modules", "__pycache__", "site-packages", "migrations", "versions", "tests",
           "test", "venv", "env"}  # fmt: skip
WORDS = re.compile(rb"__tablename__|\bTable\(|table=True|\.Model\b|\bModel\)")


class Declared(NamedTuple):
    """A class or Table in a source file. `table` is "" where only the framework knows the name."""

    path: str
    line: int
    name: str
    table: str
    module: str
    imported: bool

    @property
    def shown(self) -> str:
        """Say where it is."""
        return f"{self.path}:{self.line} declares {self.name}"


def declared(root: Path) -> list[Declared]:
    """Return every class that looks like a model, and every Table, below `root`."""
    loaded = {
        os.path.realpath(file) for one in list(sys.modules.values())
        if isinstance(file := getattr(one, "__file__", None), str)
    }  # fmt: skip
    found: list[Declared] = []
    for path in _files(root):
        try:
            data = path.read_bytes()
            if not WORDS.search(data):
                continue
            tree = ast.parse(data)
        except (OSError, SyntaxError, ValueError):
            continue
        inner = path.relative_to(root)
        module = ".".join(inner.with_suffix("").parts).removesuffix(".__init__")
        here = os.path.realpath(path) in loaded
        for line, name, table in _names(tree):
            found.append(Declared(inner.as_posix(), line, name, table, module, here))
    return found


def _files(root: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(root):
        folders[:] = sorted(
            one for one in folders
            if one[0] != "." and one not in IGNORED
            and not os.path.exists(os.path.join(top, one, "pyvenv.cfg"))
        )  # fmt: skip
        yield from (Path(top, name) for name in sorted(names) if name.endswith(".py"))


def _names(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            table = _table_of(node)
            if table or _is_model(node):
                yield node.lineno, f"class {node.name}", table
        elif isinstance(node, ast.Call) and _last(node.func) == "Table" and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, f"Table {first.value}", first.value


def _table_of(node: ast.ClassDef) -> str:
    for one in node.body:
        target = one.targets[0] if isinstance(one, ast.Assign) else getattr(one, "target", None)
        if isinstance(target, ast.Name) and target.id == "__tablename__":
            value = getattr(one, "value", None)
            return str(value.value) if isinstance(value, ast.Constant) else ""
    return ""


def _is_model(node: ast.ClassDef) -> bool:
    """Whether a class without `__tablename__` gets its table's name from its own."""
    if any(one.arg == "table" for one in node.keywords):  # SQLModel
        return True
    if any(_abstract(one) for one in node.body):
        return False
    return any(_last(base) == "Model" for base in node.bases)  # Django, Flask-SQLAlchemy


def _abstract(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef) and node.name == "Meta":
        return any(_abstract(one) for one in node.body)
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    named = node.targets[0].id in ("abstract", "__abstract__")
    return named and isinstance(node.value, ast.Constant) and node.value.value is True


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def for_table(found: list[Declared], table: str) -> list[Declared]:
    """Return what declares a table of that name, also by the name that a class would give it."""
    plain = table.rpartition(".")[2]
    out = []
    for one in found:
        own = one.name.removeprefix("class ")
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", own).lower()
        if one.table == plain or (not one.table and plain in (own.lower(), snake)):
            out.append(one)
    return out
