"""Names in force where code stands, and how they get their values."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from tidegate.model.operation import Span
from tidegate.reading.migrations.kinds import Ref, Unknown, is_made

LIBRARIES = {*sys.stdlib_module_names, "alembic", "django", "op", "sa", "sqlalchemy"}
ENOUGH = 20_000  # statements that are followed in one file
Load = Callable[[str], "Scope | None"]
Follows = Callable[[ast.expr, "Scope"], Any]


class Made(NamedTuple):
    """A function as a value: where it was made, and the arguments that it has already."""

    node: ast.FunctionDef
    home: Scope
    args: tuple[Any, ...] = ()
    words: dict[str, Any] = {}


class Scope:
    """Names in force: what was imported, assigned and defined.

    A method of a class is a function called `Class.method`. `load` returns the scope of another
    module of the project, and `left` is what is left to follow before the reader gives up.
    `made` are functions that were made on the way, by the name that stands for them. `follower`
    says what a call gives where code is followed, and notes what it does.
    """

    __slots__ = ("active", "classes", "depth", "follower", "functions", "left", "load", "made",
                 "makes", "names", "outer")  # fmt: skip

    def __init__(self, outer: Scope | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.outer = outer
        self.depth: int = outer.depth if outer is not None else 0
        self.active: tuple[Any, ...] = outer.active if outer is not None else ()
        self.makes: bool = outer.makes if outer is not None else True  # calls are followed here
        self.load: Load | None = outer.load if outer is not None else None
        self.left: list[int] = outer.left if outer is not None else [ENOUGH]
        self.made: dict[str, Made] = outer.made if outer is not None else {}
        self.follower: Follows | None = outer.follower if outer is not None else None

    def get(self, name: str) -> Any:
        """Return the value of a name; a Ref of itself where nothing is known."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return Ref(name)

    def function(self, name: str) -> ast.FunctionDef | None:
        """Return the function of that name."""
        home = self.home(name)
        return None if home is None else home.functions[name]

    def home(self, name: str) -> Scope | None:
        """Return the scope that holds the function of that name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.functions:
                return scope
            scope = scope.outer
        return None

    @property
    def root(self) -> Scope:
        """The scope of the module."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope

    def inside(self, home: Scope) -> Scope:
        """Return a scope in `home` for code that is called from this one."""
        inner = Scope(home)
        inner.depth, inner.active = self.depth, self.active
        inner.left, inner.makes = self.left, self.makes
        inner.made, inner.follower = self.made, self.follower
        return inner

    def make(self, name: str, node: ast.FunctionDef) -> str:
        """Note a function that is made here; return the name that stands for it as a value."""
        key, count = name, 1
        while key in self.made and self.made[key].home is not self:
            count += 1
            key = f"{name} {count}"
        self.made[key] = Made(node, self)
        return key


def span(node: Any) -> Span:
    """Return where a node stands."""
    return Span(
        node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or 0) + 1
    )


def as_function(node: ast.Lambda, name: str) -> ast.FunctionDef:
    """Return a lambda as the function that it is."""
    body = ast.copy_location(ast.Return(node.body), node.body)
    made = ast.FunctionDef(name, node.args, [body], [], None, None)
    return ast.copy_location(made, node)


def bind(target: ast.expr, value: Any, scope: Scope) -> None:
    """Bind a name, or several."""
    if isinstance(target, ast.Name):
        scope.names[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        items = value if isinstance(value, list | tuple) and not is_made(value) else None
        fits = items is not None and len(items) == len(target.elts)
        for index, inner in enumerate(target.elts):
            bind(inner, items[index] if fits and items else Unknown("unpacked"), scope)
