"""Python files by their syntax alone: module-level names, and what they take from outside."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tidegate.reading import newersyntax

UNKNOWN = object()
_READERS = ("env", "config", "getenv", "environ", "get_env", "getenv_or_raise")


@dataclass(frozen=True)
class EnvRead:
    """A read of an environment variable at import time."""

    name: str
    path: str
    line: int
    required: bool
    default: Any = UNKNOWN
    certain: bool = True  # it runs on every import
    via: str = ""  # the reader's name, where it is not os.environ

    @property
    def refusal(self) -> str:
        """What the reader says where the variable is not there."""
        if self.via == "env":
            return f"ImproperlyConfigured: Set the {self.name} environment variable"
        if self.via == "config":
            advice = "Declare it as envvar or define a default value."
            return f"UndefinedValueError: {self.name} not found. {advice}"
        return f"KeyError: '{self.name}'"


@dataclass(frozen=True)
class Assigned:
    """A module-level assignment."""

    name: str
    value: ast.expr
    path: str
    line: int
    conditional: bool = False


@dataclass
class Module:
    """A file, parsed when it is asked for."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module | None:
        """The syntax, as far as this Python has words for it; None where it has none."""
        try:
            return newersyntax.parse(self.text, gaps=True)
        except (SyntaxError, ValueError):
            return None

    @cached_property
    def code(self) -> str:
        """The code without its comments, which may say anything."""
        return ast.unparse(self.tree) if self.tree is not None else ""

    @cached_property
    def assigned(self) -> list[Assigned]:
        """The assignments that run at import."""
        return [found for one, maybe in self._run for found in _assignments(one, self.path, maybe)]

    @cached_property
    def reads(self) -> list[EnvRead]:
        """The environment variables that are read at import."""
        return [found for one, maybe in self._run for found in _reads(one, self.path, not maybe)]

    @property
    def _run(self) -> Iterator[tuple[ast.stmt, bool]]:
        return statements(self.tree.body if self.tree is not None else [], False)


def read(text: str, path: str) -> Module:
    """Return a file to be parsed. Never raises."""
    return Module(path, text)


def statements(body: list[ast.stmt], conditional: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements that run at import, and whether a condition decides about them."""
    for one in body:
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(one, ast.If):
            yield ast.copy_location(ast.Expr(one.test), one), conditional
            yield from statements(one.body, True)
            yield from statements(one.orelse, True)
        elif isinstance(one, ast.Try):
            yield from statements(one.body, True)
            for handler in one.handlers:
                yield from statements(handler.body, True)
            yield from statements(one.orelse, True)
            yield from statements(one.finalbody, conditional)
        elif isinstance(one, (ast.With, ast.For, ast.While)):
            yield from statements(one.body, conditional or not isinstance(one, ast.With))
        elif isinstance(one, ast.ClassDef):
            yield from statements(one.body, conditional)
        else:
            yield one, conditional


def _assignments(statement: ast.stmt, path: str, conditional: bool) -> list[Assigned]:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets: list[ast.expr] = [statement.target]
        value = statement.value
    elif isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        left = ast.Name(id=getattr(statement.target, "id", ""), ctx=ast.Load())
        targets = [statement.target]
        value = ast.copy_location(ast.BinOp(left, statement.op, statement.value), statement)
    else:
        return []
    return [
        Assigned(target.id, value, path, statement.lineno, conditional)
        for target in targets
        if isinstance(target, ast.Name)
    ]


def _reads(statement: ast.stmt, path: str, certain: bool) -> Iterator[EnvRead]:
    lazy: set[int] = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Lambda, ast.IfExp)):
            kids = [node.body, *([node.orelse] if isinstance(node, ast.IfExp) else [])]
            lazy.update(id(inner) for kid in kids for inner in ast.walk(kid))
        if isinstance(node, ast.BoolOp):
            lazy.update(id(inner) for kid in node.values[1:] for inner in ast.walk(kid))
    for node in ast.walk(statement):
        found = env_read(node, path)
        if found is not None:
            sure = certain and id(node) not in lazy
            yield replace(found, certain=sure)


def env_read(node: ast.AST, path: str = "") -> EnvRead | None:
    """Return the environment variable that an expression reads, or None."""
    if isinstance(node, ast.Subscript) and dotted(node.value) in ("os.environ", "environ"):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return EnvRead(node.slice.value, path, node.lineno, isinstance(node.ctx, ast.Load))
        return None
    if not isinstance(node, ast.Call):
        return None
    first = node.args[0] if node.args else None
    if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
        return None
    called = dotted(node.func)
    default = next((k.value for k in node.keywords if k.arg == "default"), None)
    if default is None and len(node.args) > 1:
        default = node.args[1]
    value = literal(default) if default is not None else UNKNOWN
    if called in ("os.environ.get", "environ.get", "os.getenv", "getenv"):
        return EnvRead(first.value, path, node.lineno, False, None if default is None else value)
    head, _, tail = called.partition(".")
    if head in ("env", "config") and (not tail or tail in _TYPES):
        if head == "config" and tail:
            return None
        return EnvRead(first.value, path, node.lineno, default is None, value, via=head)
    return None


_TYPES = (
    "str", "bool", "int", "float", "list", "tuple", "dict", "json", "url", "db", "db_url", "cache",
    "cache_url", "email", "email_url", "search_url", "path", "bytes", "read_env",
)  # fmt: skip


def dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


def literal(node: ast.AST | None) -> Any:
    """Return the value of a literal; UNKNOWN for what only running can tell."""
    if node is None:
        return UNKNOWN
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def literal_of(text: str) -> Any:
    """Return the value of a literal's text; UNKNOWN for anything else."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN


def strings(node: ast.AST) -> list[ast.Constant]:
    """Return every text constant below a node."""
    return [
        one
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def module_path(name: str, folders: tuple[str, ...], exists: Any) -> str:
    """Return the file of a dotted module name; empty where it is not in the project."""
    tail = name.replace(".", "/")
    for folder in folders:
        for path in (f"{tail}.py", f"{tail}/__init__.py"):
            full = posixpath.normpath(posixpath.join(folder, path))
            if exists(full):
                return full
    return ""
