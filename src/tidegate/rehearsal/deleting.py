"""Where a step's code deletes rows, whether there are any to delete or not.

On an empty database a loop over rows ends before its first turn, and Django looks for the rows of
a `.delete()` before it sends one: no statement shows what the code would do to rows. So the code
that the way up may run is read: its own functions, and those of the project that they name.
"""

from __future__ import annotations

import ast
import linecache
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType
from typing import Any

LIMIT = 200  # functions that are followed from one step
LIBRARIES = {"django", "alembic", "sqlalchemy", "psycopg", "psycopg2", "asyncpg", "tidegate"}
_SQL = re.compile(r"\bDELETE\s+FROM\b|^\s*TRUNCATE\b", re.I)

Place = dict[str, Any]


def deletions(functions: list[Any]) -> list[Place]:
    """Return each place at which these functions, or those that they call, delete rows."""
    found: list[Place] = []
    seen: set[Any] = set()
    todo = list(functions)
    while todo and len(seen) < LIMIT:
        function = _plain(todo.pop(0))
        code = getattr(function, "__code__", None)
        if code is None or code in seen or (node := _node(code)) is None:
            continue
        seen.add(code)
        texts = _said(node)
        for one in ast.walk(node):
            text = _deletes(one, texts)
            if text and isinstance(one, ast.expr):
                found.append({"path": code.co_filename, "line": one.lineno, "text": text,
                              "end": one.end_lineno or one.lineno,
                              "sql": isinstance(one, ast.Constant)})  # fmt: skip
            todo += [other for other in _named(one, function) if _is_projects(other)]
    return found


def _plain(function: Any) -> Any:
    """Return the function below partial(), a bound method and a decorator."""
    for name in ("func", "__func__", "__wrapped__"):
        function = getattr(function, name, function)
    return function


@lru_cache(maxsize=256)
def _tree(path: str) -> ast.AST | None:
    try:
        return ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return None


def _node(code: Any) -> ast.AST | None:
    """Return the syntax of a function; None where its source isn't there."""
    tree = _tree(code.co_filename)
    for one in ast.walk(tree) if tree is not None else ():
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            first = min([one.lineno, *(d.lineno for d in getattr(one, "decorator_list", ()))])
            if first == code.co_firstlineno and getattr(one, "name", "<lambda>") == code.co_name:
                return one
    return None


def _said(node: ast.AST) -> set[int]:
    """Return the docstrings, by their nodes' ids: they only speak of it."""
    return {id(one.value) for one in ast.walk(node) if isinstance(one, ast.Expr)}


def _deletes(node: ast.AST, docstrings: set[int]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        is_sql = id(node) not in docstrings and _SQL.search(node.value)
        return " ".join(node.value.split()) if is_sql else ""
    if not isinstance(node, ast.Call):
        return ""
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if name == "_raw_delete" or (name == "delete" and _of_rows(node)):
        return ast.unparse(func) + "()"
    return ""


def _of_rows(call: ast.Call) -> bool:
    """Whether `delete` is that of a query, a row, a table or a session: not of a cache or a file.

    Only SQLAlchemy's gets something to delete: `delete(table)`, `session.delete(row)`.
    """
    words = {word.arg for word in call.keywords}
    if not isinstance(call.func, ast.Attribute):
        return bool(call.args)
    if not call.args:
        return not words - {"using", "keep_parents", "synchronize_session"}
    owner = ast.unparse(call.func.value).rpartition(".")[2].lower()
    return owner in ("sa", "sqlalchemy", "sql") or "session" in owner


def _named(node: ast.AST, function: Any) -> Iterator[Any]:
    """Return what a name in a function means, where it means a function."""
    known = getattr(function, "__globals__", {})
    value = None
    if isinstance(node, ast.Name):
        value = known.get(node.id)
        if value is None and node.id in function.__code__.co_freevars:
            cells = dict(
                zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
            )
            try:
                value = cells[node.id].cell_contents
            except ValueError:  # not filled yet
                value = None
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = known.get(node.value.id)
        value = getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
    if getattr(_plain(value), "__code__", None) is not None:
        yield value


def _is_projects(function: Any) -> bool:
    top = str(getattr(_plain(function), "__module__", "")).partition(".")[0]
    return top not in LIBRARIES and top not in sys.stdlib_module_names
