"""What a revision's downgrade takes away, read off its calls."""

from __future__ import annotations

import ast
from pathlib import Path

from tidegate.model.step import Step
from tidegate.model.undoing import Undo, loses


def undo_of(step: Step) -> Undo:
    """Say what a revision's downgrade does, as far as its calls tell."""
    tree = ast.parse(Path(step.path).read_text("utf-8", "replace"))
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    up, down = bodies.get("upgrade"), bodies.get("downgrade")
    if up is None or not _does_something(up):
        return Undo(step.id)
    takes = _takes(up)
    if down is None or not _does_something(down):
        return Undo(step.id, "its downgrade does nothing", takes=takes)
    if any(isinstance(node, ast.Raise) for node in down.body):
        return Undo(step.id, "its downgrade raises an error", takes=takes)
    tables, columns, hidden = _read_calls(down)
    return Undo(step.id, "", tuple(tables), tuple(columns), tuple(hidden), takes)


# What loses no data by itself; all that is neither here nor read in `_read_calls` can't be seen.
SAFE = ("add_column", "batch_alter_table", "create_check_constraint", "create_exclude_constraint",
        "create_foreign_key", "create_index", "create_primary_key", "create_table",
        "create_table_comment", "create_unique_constraint", "drop_constraint", "drop_index",
        "drop_table_comment", "f", "get_context", "autocommit_block", "rename_table")  # fmt: skip

VALUES = ("sa", "sqlalchemy", "postgresql", "mysql", "sqlite", "sqlmodel", "types", "text")


def _read_calls(
    function: ast.FunctionDef,
) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """Return the tables and columns that a function drops, and what can't be seen of it."""
    tables: list[str] = []
    columns: list[tuple[str, str]] = []
    hidden: list[str] = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        owner, name = _callee(node.func)
        texts = [_text(one) for one in node.args]
        if owner in VALUES:
            continue
        if name == "drop_table" and texts:
            tables.append(texts[0])
        elif name == "drop_column" and len(texts) > 1:
            columns.append((texts[0], texts[1]))
        elif name == "execute" and owner == "op" and texts and texts[0] != "?":
            hidden += [texts[0]] if loses(texts[0]) else []
        elif name == "alter_column":
            changed = any(one.arg == "type_" for one in node.keywords)
            hidden += [f"alter_column with another type, line {node.lineno}"] if changed else []
        elif name not in SAFE:
            hidden.append(f"a call of {name or 'something'}, line {node.lineno}")
    return tables, columns, hidden


def _callee(node: ast.expr) -> tuple[str, str]:
    """Return the first and the last word of what is called: op.drop_table, sa.Column."""
    last = node.attr if isinstance(node, ast.Attribute) else ""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    first = node.id if isinstance(node, ast.Name) else ""
    return first, last or first


def _takes(up: ast.FunctionDef) -> tuple[str, ...]:
    """Return what applying a revision takes away."""
    tables, columns, hidden = _read_calls(up)
    found = [f"table {table}" for table in tables]
    return (*found, *(f"column {table}.{column}" for table, column in columns), *hidden)


def _does_something(function: ast.FunctionDef) -> bool:
    return any(
        not isinstance(node, ast.Pass)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _text(node: ast.expr) -> str:
    """Return a literal's text; "?" where it is made by code."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute | ast.Name):
        return _text(node.args[0])  # op.f("…"), sa.text("…")
    return str(node.value) if isinstance(node, ast.Constant) else "?"
