"""What a module, a class or a function declares: imports, constants, functions; nothing is run."""

from __future__ import annotations

import ast

from tidegate.reading.migrations.choices import chosen
from tidegate.reading.migrations.kinds import Ref
from tidegate.reading.migrations.scopes import Load, Scope, as_function, bind
from tidegate.reading.migrations.values import evaluate


def module_scope(tree: ast.Module, load: Load | None = None) -> Scope:
    """Return the scope of a module: imports, constants, functions; nothing is run."""
    scope = Scope()
    scope.load = load
    for statement in tree.body:
        declare(statement, scope)
    return scope


def declare(statement: ast.stmt, scope: Scope) -> None:
    """Take one statement's names into `scope`."""
    if isinstance(statement, ast.Import):
        for one in statement.names:
            if one.asname:
                scope.names[one.asname] = Ref(one.name)
            else:
                top = one.name.partition(".")[0]
                scope.names[top] = Ref(top)
    elif isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        for one in statement.names:
            between = "" if module.endswith(".") else "."
            scope.names[one.asname or one.name] = Ref(f"{module}{between}{one.name}")
    elif isinstance(statement, ast.FunctionDef):
        scope.functions[statement.name] = statement
    elif isinstance(statement, ast.ClassDef):
        scope.classes[statement.name] = statement
        for inner in statement.body:
            if isinstance(inner, ast.FunctionDef):
                scope.functions[f"{statement.name}.{inner.name}"] = inner
            elif isinstance(inner, ast.Assign) and "__tablename__" in ast.dump(inner.targets[0]):
                scope.names[statement.name] = Ref(f"table({evaluate(inner.value, scope)})")
    elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Lambda):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                scope.functions[target.id] = as_function(statement.value, target.id)
    elif isinstance(statement, ast.Assign):
        value = evaluate(statement.value, scope)
        for target in statement.targets:
            bind(target, value, scope)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        bind(statement.target, evaluate(statement.value, scope), scope)
    elif isinstance(statement, ast.Try | ast.If):
        before = dict(scope.names)
        for inner in statement.body:
            declare(inner, scope)
        if isinstance(statement, ast.If):
            chosen(scope.names, before, dict(scope.names), ((), ()))
