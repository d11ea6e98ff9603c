"""What a call calls: functions of the file and of the project, also those that code makes."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.reading.migrations.kinds import Call, Instance, Ref
from tidegate.reading.migrations.modules import imported
from tidegate.reading.migrations.scopes import Made, Scope


def callee(value: Any, scope: Scope) -> Made | None:
    """Return the function that a value is; None where it is none that can be found."""
    if isinstance(value, Made):
        return value
    if isinstance(value, Ref):
        return _named(value.name, scope)
    if isinstance(value, Instance):
        return callee(method(value, "__call__"), scope)
    if isinstance(value, Call) and value.args:
        if value.name == "lambda":
            return scope.made.get(str(value.args[0]))
        inner = callee(value.args[0], scope) if value.last == "partial" else None
        if inner is not None:
            words = {**inner.words, **value.kwargs}
            return inner._replace(args=(*inner.args, *value.args[1:]), words=words)
    return None


def _named(name: str, scope: Scope) -> Made | None:
    if name in scope.made:
        return scope.made[name]
    home = scope.home(name) if name.count(".") <= 1 else None
    if home is not None:
        return Made(home.functions[name], home)
    found = imported(name, scope)
    return None if found is None else Made(*found)


def instance(value: Any, scope: Scope) -> Instance | None:
    """Return an object of the class of the file that a value is the name of."""
    name = value.name if isinstance(value, Ref) else ""
    if not name or "." in name or not name[:1].isupper():
        return None
    begin = name + "."
    root = scope.root
    return Instance(name, root) if any(one.startswith(begin) for one in root.functions) else None


def method(one: Instance, name: str) -> Made | Ref:
    """Return a method of an object, bound to it, or what it holds under that name."""
    full = f"{one.name}.{name}"
    node = one.home.functions.get(full)
    if node is None:
        given: Any = one.given.get(name)
        return given if isinstance(given, Ref) else Ref(full)
    words = {each.id for each in node.decorator_list if isinstance(each, ast.Name)}
    return Made(node, one.home, () if "staticmethod" in words else (one,))


def makes_rows(function: ast.FunctionDef) -> bool:
    """Whether a function is a generator."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(one, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(one))
    return False
