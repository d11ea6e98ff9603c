"""What the Python code of a data migration shows of itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tidegate.model.operation import Trait
from tidegate.reading.migrations.values import Ref, Scope, Unknown, evaluate, span

OUTSIDE = {
    "requests", "httpx", "urllib", "urllib3", "aiohttp", "boto3", "botocore", "smtplib", "socket",
    "subprocess", "ftplib", "paramiko", "shutil",
}  # fmt: skip
WRITES = {"save", "update", "create", "bulk_create", "bulk_update", "delete", "get_or_create",
          "update_or_create"}  # fmt: skip
NARROW = {"filter", "exclude", "get", "first", "last", "in_bulk", "none"}
WHOLE = {"all", "iterator", "order_by", "values", "values_list", "select_related", "only",
         "prefetch_related", "using", "defer", "annotate", "objects"}  # fmt: skip


def traits_of(function: ast.FunctionDef | ast.Lambda, scope: Scope) -> tuple[Trait, ...]:
    """Return what the function does that a rule may mind."""
    body = function.body if isinstance(function, ast.FunctionDef) else [function.body]
    inner = Scope(scope)
    for node in body:
        for one in ast.walk(node):
            if isinstance(one, ast.Import | ast.ImportFrom | ast.Assign):
                _declare(one, inner)
    found: list[Trait] = []
    for node in body:
        found += _walk(node, inner, depth=0, seen=set())
    unique = {(one.what, one.span): one for one in found}
    return tuple(unique.values())


def _declare(node: ast.AST, scope: Scope) -> None:
    from tidegate.reading.migrations.values import declare

    if isinstance(node, ast.stmt):
        declare(node, scope)


def _walk(node: ast.AST, scope: Scope, depth: int, seen: set[str]) -> Iterator[Trait]:
    for one in ast.walk(node):
        if isinstance(one, ast.For):
            yield from _loop(one)
        elif isinstance(one, ast.Call):
            yield from _call(one, scope)
            name = one.func.id if isinstance(one.func, ast.Name) else ""
            helper = scope.function(name) if name else None
            if helper is not None and name not in seen and depth < 4:
                seen.add(name)
                for statement in helper.body:
                    yield from _walk(statement, scope, depth + 1, seen)
        elif isinstance(one, ast.Attribute) and one.attr in ("objects", "_default_manager"):
            yield from _imported_model(one, scope)


def chain(node: ast.expr) -> list[str]:
    """Return the names of an attribute and call chain, outermost last: [Model, objects, all]."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Name):
            names.append(node.id)
            return names[::-1]
        elif isinstance(node, ast.Subscript):
            names.append("[]")
            node = node.value
        else:
            return names[::-1]


def _loop(node: ast.For) -> Iterator[Trait]:
    names = chain(node.iter)
    if "objects" not in names or "[]" in names:
        return
    after = names[names.index("objects") + 1 :]
    if not set(after) <= WHOLE | NARROW or set(after) & {"get", "first", "last", "none", "in_bulk"}:
        return
    target = node.target.id if isinstance(node.target, ast.Name) else ""
    for one in ast.walk(node):
        if not isinstance(one, ast.Call) or not isinstance(one.func, ast.Attribute):
            continue
        saved = chain(one.func)
        if one.func.attr == "save" and saved[:1] == [target]:
            model = names[names.index("objects") - 1]
            yield Trait("loop-save", model, span(node)._replace(end_line=node.lineno))
            return


def _call(node: ast.Call, scope: Scope) -> Iterator[Trait]:
    func = node.func
    names = chain(func)
    if isinstance(func, ast.Name) and func.id == "open" and scope.function("open") is None:
        mode = evaluate(node.args[1], scope) if len(node.args) > 1 else "r"
        yield Trait("outside", f"open({'…' if node.args else ''}, {mode!r})", span(node))
        return
    root = scope.get(names[0]) if names and isinstance(func, ast.Attribute) else None
    if isinstance(root, Ref) and root.name.split(".")[0] in OUTSIDE:
        yield Trait("outside", ".".join(names), span(node))
        return
    if not isinstance(func, ast.Attribute):
        return
    if func.attr == "execute" and node.args:
        value = evaluate(node.args[0], scope)
        if isinstance(value, str):
            yield Trait("sql", value, span(node))
        elif isinstance(value, Unknown):
            yield Trait("dynamic-sql", value.why, span(node))
        return
    if func.attr in WRITES and "objects" in names:
        after = names[names.index("objects") + 1 : -1]
        model = names[names.index("objects") - 1] if names.index("objects") else ""
        whole = func.attr in ("update", "delete") and not set(after) & NARROW and "[]" not in after
        yield Trait("whole-" + func.attr if whole else "write", model, span(node))
    elif func.attr in ("save", "bulk_create", "bulk_update"):
        yield Trait("write", names[0] if names else "", span(node))


def _imported_model(node: ast.Attribute, scope: Scope) -> Iterator[Trait]:
    if not isinstance(node.value, ast.Name | ast.Attribute):
        return
    names = chain(node.value)
    root = scope.get(names[0])
    if isinstance(root, Ref) and "models" in root.name.split(".") and root.name != names[0]:
        if root.name.startswith(("django.db.", "django.contrib.gis.db")):
            return
        yield Trait("imported-model", root.name, span(node))
