"""Operations of a class of the project's own: taken for what the class derives from."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from tidegate.reading.migrations.declaring import declare
from tidegate.reading.migrations.following import Follower
from tidegate.reading.migrations.kinds import Call, Ref, Unknown, is_made
from tidegate.reading.migrations.scopes import LIBRARIES, Scope
from tidegate.reading.migrations.values import dotted, evaluate

DEEP = 5  # classes between an operation and Django's


class Own(NamedTuple):
    """A class of the project, where it stands, and the classes from it up to Django's `base`."""

    base: str
    line: tuple[tuple[ast.ClassDef, Scope], ...]

    def method(self, name: str) -> tuple[ast.FunctionDef, int] | None:
        """Return the method that counts, and how far up its class is."""
        for number, (node, _) in enumerate(self.line):
            for one in node.body:
                if isinstance(one, ast.FunctionDef) and one.name == name:
                    return one, number
        return None


def _own(name: str, scope: Scope) -> Own | None:
    """Return the class of that name, of the file or of another module of the project."""
    line: list[tuple[ast.ClassDef, Scope]] = []
    while len(line) < DEEP:
        found = _class(name, scope)
        if found is None:
            return Own(name, tuple(line)) if line and "." in name else None
        line.append(found)
        node, scope = found
        if not node.bases:
            return None
        name = dotted(node.bases[0], scope)
    return None


def _class(name: str, scope: Scope) -> tuple[ast.ClassDef, Scope] | None:
    home: Scope | None = scope.root
    module, _, last = name.rpartition(".")
    if module:
        home = None if module.partition(".")[0] in LIBRARIES or scope.load is None else (
            scope.load(module)
        )  # fmt: skip
    node = home.classes.get(last) if home is not None else None
    return None if node is None or home is None else (node, home)


def known(call: Call, scope: Scope) -> Call:
    """Return an operation as the one of Django's that it is; what its class adds may differ."""
    if call.last == "SeparateDatabaseAndState":
        return _inside(call, scope)
    found = _own(call.name, scope)
    if found is None:
        return call
    init, forwards = found.method("__init__"), found.method("database_forwards")
    made = _initialised(call, found, scope) if init else call._replace(name=found.base)
    if forwards is not None and not _hands_on(forwards[0]):
        code = Ref(f"{call.name}.database_forwards")
        runs = Call("django.db.migrations.RunPython", (code, Ref("noop")), {}, call.span)
        if found.base.endswith("operations.base.Operation"):
            made = runs
        else:
            both = {"database_operations": [runs], "state_operations": [made]}
            made = Call("django.db.migrations.SeparateDatabaseAndState", (), both, call.span)
    return Call("tidegate.maybe", (made,), {}, call.span)


def _inside(call: Call, scope: Scope) -> Call:
    def each(value: Any) -> Any:
        if not isinstance(value, list | tuple) or is_made(value):
            return value
        return [known(one, scope) if isinstance(one, Call) else one for one in value]

    kwargs = {key: each(value) for key, value in call.kwargs.items()}
    return call._replace(args=tuple(each(one) for one in call.args), kwargs=kwargs)


def _hands_on(forwards: ast.FunctionDef) -> bool:
    """Whether the class lets the one that it derives from do the work."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "database_forwards"
        for node in ast.walk(forwards)
    )


def _initialised(call: Call, own: Own, scope: Scope) -> Call:
    """Return the operation with what each `__init__` hands on to the class above it."""
    args, kwargs = call.args, call.kwargs
    for node, home in own.line:
        init = next(
            (one for one in node.body if isinstance(one, ast.FunctionDef)
             and one.name == "__init__"), None,
        )  # fmt: skip
        if init is None:
            continue
        made = _handed_on(init, args, kwargs, scope.inside(home) if home.outer is None else home)
        if made is None:
            why = f"{call.name} is put together by itself"
            return Call("tidegate.opaque", (why,), {}, call.span)
        args, kwargs = made.args, made.kwargs
    return Call(own.base, args, kwargs, call.span)


def _handed_on(
    init: ast.FunctionDef, args: tuple[Any, ...], kwargs: dict[str, Any], scope: Scope
) -> Call | None:
    inner = Follower(scope).bound(init, (Unknown("self"), *args), kwargs, scope)
    for statement in init.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Call) and _is_super(value.func):
            made = evaluate(value, inner)
            return made if isinstance(made, Call) else None
        declare(statement, inner)
    return None


def _is_super(func: ast.expr) -> bool:
    if not isinstance(func, ast.Attribute) or func.attr != "__init__":
        return False
    inner = func.value
    return isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and (
        inner.func.id == "super"
    )  # fmt: skip


def code_name(value: Any) -> str:
    """Return what the function of a RunPython is called, "" where it is none that can be found."""
    if isinstance(value, Ref):
        return value.name
    if isinstance(value, Call) and value.name == "lambda":
        return str(value.args[0])
    if isinstance(value, Call) and value.last == "partial" and value.args:
        name = code_name(value.args[0])
        more = len(value.args) > 1 or value.kwargs
        return f"{name} {value.span.line}:{value.span.column}" if name and more else name
    return ""
