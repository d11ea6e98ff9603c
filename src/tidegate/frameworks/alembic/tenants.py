"""An env.py that takes the steps through several schemas: seen in its text, and refused.

Each schema has a version table of its own, and one of them says nothing about the others.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tidegate.errors import UsageProblem

OPTIONS = ("schema_translate_map", "version_table_schema")
PATH = "search_path"


def refuse_schemas(env: Path) -> None:
    """Refuse an env.py that runs the steps once for each of several schemas."""
    try:
        text = env.read_text("utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return
    if PATH not in text and not any(word in text for word in OPTIONS):
        return
    loops = [one for one in ast.walk(tree) if isinstance(one, ast.For | ast.AsyncFor)]
    if any(_goes_into(loop, _names(loop.target), tree, set()) for loop in loops):
        raise UsageProblem(
            f"{env} runs the steps in one schema after the other",
            "Each schema has a version table of its own. One is read here, so a schema that lacks "
            "steps would be called current. Nothing was changed.",
            "let one container run `alembic upgrade head`, and start the others after it "
            "(depends_on: condition: service_completed_successfully)",
        )
    words = set().union(*map(_from_command_line, ast.walk(tree)))
    if _goes_into(tree, words, tree, set()):
        raise UsageProblem(
            f"{env} takes its schema from the command line (`alembic -x`)",
            "A start has no such word, and each schema has a version table of its own. Nothing was "
            "changed.",
            "run `alembic -x NAME=SCHEMA upgrade head` for each schema before the app starts",
        )


def _goes_into(part: ast.AST, known: set[str], tree: ast.Module, seen: set[str]) -> bool:
    """Whether a value of the names `known` becomes a schema, here or in a function of the file."""
    for node in ast.walk(part):
        if isinstance(node, ast.Assign) and _names(node.value) & known:
            if _speaks_of_path(node.value):
                return True
            known = known.union(*map(_names, node.targets))
    for call in ast.walk(part):
        if not isinstance(call, ast.Call) or not _names(call) & known:
            continue
        if any(one.arg in OPTIONS and _names(one.value) & known for one in call.keywords):
            return True
        if _speaks_of_path(call):
            return True
        for function in _functions(tree, _names(call) - known - seen):
            seen.add(function.name)
            if _goes_into(function, {one.arg for one in function.args.args}, tree, seen):
                return True
    return False


def _from_command_line(node: ast.AST) -> set[str]:
    """Return the names that get what `-x` says, and nothing in its place where it says nothing."""
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.Subscript)):
        return set()
    asked = any(
        isinstance(one, ast.Attribute) and one.attr == "get_x_argument"
        for one in ast.walk(node.value)
    )
    otherwise = isinstance(node.value, ast.Call) and len(node.value.args) > 1
    return set().union(*map(_names, node.targets)) if asked and not otherwise else set()


def _speaks_of_path(part: ast.AST) -> bool:
    return any(isinstance(one, ast.Constant) and PATH in str(one.value) for one in ast.walk(part))


def _names(part: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(part) if isinstance(one, ast.Name)}


def _functions(
    tree: ast.Module, names: set[str]
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in names:
            yield node
