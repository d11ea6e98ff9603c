"""A Django migration file as a Record: class body, operations and functions, by `ast`."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.model.operation import Trait
from tidegate.reading import newersyntax
from tidegate.reading.migrations.callees import callee
from tidegate.reading.migrations.declaring import module_scope
from tidegate.reading.migrations.django_own import code_name, known
from tidegate.reading.migrations.kinds import Call, Ref, Unknown, is_made
from tidegate.reading.migrations.record import TEMPORARY, Record, suppressions
from tidegate.reading.migrations.scopes import Load, Scope, span
from tidegate.reading.migrations.traits import traits_of
from tidegate.reading.migrations.values import evaluate


def read(source: str, path: str, app: str, name: str, load: Load | None = None) -> Record | None:
    """Return the Record of a file; None where it is no migration.

    `load` returns the scope of another module of the project.
    """
    own = f"{app}.{name}"
    try:
        tree = newersyntax.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 1) or 1
        return Record("django", own, path, problem=f"line {line}: {error.args[0]}")
    found = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Migration"
    ]
    if not found:
        return None
    scope = module_scope(tree, load)
    body = _Body(scope)
    body.take(found[-1].body)
    body.operations += _added_outside(tree)
    return Record(
        framework="django",
        id=own,
        path=path,
        needs=_ids(body.get("dependencies")),
        replaces=_ids(body.get("replaces")),
        run_before=_ids(body.get("run_before")),
        atomic=body.get("atomic", True) is not False,
        initial=body.get("initial", False) is True,
        forward=tuple(body.operations),
        traits=_traits(body.operations, body.scope),
        allowed=suppressions(source),
        title=_title(found[-1]),
        temporary=source.startswith(TEMPORARY),
    )


def _added_outside(tree: ast.Module) -> list[Call]:
    """Return, as what can't be read, code beside the class that changes its operations."""
    out = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        for one in ast.walk(node):
            if isinstance(one, ast.Attribute) and one.attr == "operations" and (
                isinstance(one.value, ast.Name) and one.value.id == "Migration"
            ):  # fmt: skip
                why = "Migration.operations is changed outside of the class"
                out.append(Call("tidegate.opaque", (why,), {}, span(node)))
                break
    return out


def _title(node: ast.ClassDef) -> Any:
    return span(node)._replace(end_line=node.lineno, end_column=len(node.name) + 7)


class _Body:
    """The names of the class body; operations under a condition are marked with `maybe`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = Scope(scope)
        self.operations: list[Any] = []

    def get(self, name: str, default: Any = None) -> Any:
        return self.scope.names.get(name, default)

    def take(self, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Assign) and _named(node.targets, "operations"):
                self.operations = self._several(node.value)
                self.scope.names["operations"] = self.operations
            elif isinstance(node, ast.AnnAssign) and _named([node.target], "operations"):
                self.operations = self._several(node.value) if node.value else []
            elif isinstance(node, ast.AugAssign) and _named([node.target], "operations"):
                self.operations += self._several(node.value)
            elif isinstance(node, ast.Assign):
                value = evaluate(node.value, self.scope)
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.scope.names[target.id] = value
            elif isinstance(node, ast.If):
                before = len(self.operations)
                self.take(node.body)
                self.take(node.orelse)
                self.operations[before:] = [
                    Call("tidegate.maybe", (one,), {}, span(node))
                    for one in self.operations[before:]
                ]
            elif isinstance(node, ast.FunctionDef):
                self.scope.functions[node.name] = node

    def _several(self, node: ast.expr) -> list[Any]:
        value = evaluate(node, self.scope)
        if isinstance(value, list | tuple) and not is_made(value):
            return [
                known(one, self.scope)
                if isinstance(one, Call)
                else Call("tidegate.opaque", (_why(one),), {}, span(node))
                for one in value
            ]
        return [Call("tidegate.opaque", (_why(value),), {}, span(node))]


def _why(value: Any) -> str:
    if isinstance(value, Unknown):
        return value.why
    if isinstance(value, Ref):
        return f"{value.name} is made elsewhere"
    if isinstance(value, Call):
        return f"{value.name}() makes the list"
    return "it is not a list of operations"


def _named(targets: list[ast.expr], name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or is_made(value):
        return ()
    out = []
    for one in value:
        if isinstance(one, tuple) and not is_made(one) and len(one) == 2:
            app, name = one
            if isinstance(app, str) and isinstance(name, str):
                out.append(f"{app}.{name}")
        elif isinstance(one, Call) and one.last == "swappable_dependency":
            out.append("__setting__.AUTH_USER_MODEL")
    return tuple(out)


def _traits(operations: list[Any], scope: Scope) -> dict[str, tuple[Trait, ...]]:
    out: dict[str, tuple[Trait, ...]] = {}
    for one in operations:
        if not isinstance(one, Call):
            continue
        if one.last.endswith("RunPython"):
            for value in (*one.args[:2], one.kwargs.get("code"), one.kwargs.get("reverse_code")):
                name = code_name(value)
                if not name or name in out:
                    continue
                found = callee(value, scope) or callee(Ref(name.replace("()", "")), scope)
                if found is not None:
                    traits = traits_of(found, scope)
                    if (
                        found.home.root is not scope.root
                    ):  # of another file: the place is the call's
                        traits = tuple(trait._replace(span=one.span) for trait in traits)
                    out[name] = traits
        elif one.last in ("SeparateDatabaseAndState", "maybe"):
            for value in (*one.args, *one.kwargs.values()):
                inner = [value] if isinstance(value, Call) else value
                if isinstance(inner, list | tuple) and not is_made(inner):
                    out.update(_traits(list(inner), scope))
    return out
