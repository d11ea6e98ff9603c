"""Operations of a class of the project's own: taken for what the class derives from."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from tidegate.reading.migrations.declaring import declare
from tidegate.reading.migrations.following import Follower
from tidegate.reading.migrations.kinds import Call, Ref, Unknown
from tidegate.reading.migrations.scopes import Scope
from tidegate.reading.migrations.values import dotted, evaluate


class Own(NamedTuple):
    """A class of the file: the operation that it derives from."""

    base: str
    node: ast.ClassDef


def own_operations(tree: ast.Module, scope: Scope) -> dict[str, Own]:
    """Return the classes of a file by name."""
    out: dict[str, Own] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases:
            base = dotted(node.bases[0], scope)
            base = out[base].base if base in out else base
            if "." in base and node.name != "Migration":
                out[node.name] = Own(base, node)
    return out


def known(call: Call, own: dict[str, Own], scope: Scope) -> Call:
    """Return an operation as the one of Django's that it is; what its class adds may differ."""
    found = own.get(call.name)
    if found is None:
        return call
    init, forwards = (_method(found.node, name) for name in ("__init__", "database_forwards"))
    if init is not None:
        made = _initialised(call, found.base, init, scope)
    else:
        made = call._replace(name=found.base)
    if forwards is not None and not _hands_on(forwards):
        code = Ref(f"{call.name}.database_forwards")
        runs = Call("django.db.migrations.RunPython", (code, Ref("noop")), {}, call.span)
        if found.base.endswith("operations.base.Operation"):
            made = runs
        else:
            both = {"database_operations": [runs], "state_operations": [made]}
            made = Call("django.db.migrations.SeparateDatabaseAndState", (), both, call.span)
    return Call("tidegate.maybe", (made,), {}, call.span)


def _hands_on(forwards: ast.FunctionDef) -> bool:
    """Whether the class lets the one that it derives from do the work."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "database_forwards"
        for node in ast.walk(forwards)
    )


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next(
        (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == name), None
    )


def _initialised(call: Call, base: str, init: ast.FunctionDef, scope: Scope) -> Call:
    """Return the operation with what `__init__` hands on to the class that it derives from."""
    inner = Follower(scope).bound(init, (Unknown("self"), *call.args), call.kwargs, scope)
    for statement in init.body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Call) and _is_super(value.func):
            made = evaluate(value, inner)
            if isinstance(made, Call):
                return Call(base, made.args, made.kwargs, call.span)
        declare(statement, inner)
    return Call("tidegate.opaque", (f"{call.name} is put together by itself",), {}, call.span)


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
