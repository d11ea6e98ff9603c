"""Names in force where code stands, and how they get their values."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from tidegate.model.operation import Span
from tidegate.reading.migrations.kinds import Ref, Unknown, is_made

LIBRARIES = {*sys.stdlib_module_names, "alembic", "django", "op", "sa", "sqlalchemy"}
ENOUGH = 20_000  # statements that are followed in one file
Load = Callable[[str], "Scope | None"]


class Scope:
    """Names in force: what was imported, assigned and defined.

    A method of a class is a function called `Class.method`. `load` returns the scope of another
    module of the project, and `left` is what is left to follow before the reader gives up.
    """

    __slots__ = ("active", "depth", "functions", "left", "load", "makes", "names", "outer")

    def __init__(self, outer: Scope | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.outer = outer
        self.depth: int = outer.depth if outer is not None else 0
        self.active: tuple[Any, ...] = outer.active if outer is not None else ()
        self.makes: bool = outer.makes if outer is not None else True  # calls are followed here
        self.load: Load | None = outer.load if outer is not None else None
        self.left: list[int] = outer.left if outer is not None else [ENOUGH]

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
        scope: Scope | None = self
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name]
            scope = scope.outer
        return None


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
