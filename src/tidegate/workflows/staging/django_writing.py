"""Django's operations as they are written into a staged file."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence

from tidegate.workflows.check.edits import Source, applied
from tidegate.workflows.check.fixes_django import operations
from tidegate.workflows.staging.common import NAME
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined, indented, literal, moved, quoted

POSTGRES = "from django.contrib.postgres.operations import "


def call_of(source: Source, at: At) -> ast.Call:
    """Return the operation's call in the migration's own list."""
    span = at.operation.span
    for node in operations(source):
        begins = (node.lineno, node.col_offset + 1) == (span.line, span.column)
        if begins and isinstance(node, ast.Call):
            return node
    raise Declined("it is not in the list of the migration's own operations")


def sql(forward: Sequence[str], backward: Sequence[str]) -> str:
    """Return a RunSQL; names in capitals are constants of the module."""

    def one(text: str) -> str:
        return text if text.isupper() and text.isidentifier() else literal(text)

    def several(texts: Sequence[str]) -> str:
        if not texts:
            return "migrations.RunSQL.noop"
        if len(texts) == 1:
            return one(texts[0])
        return "[\n" + "".join(indented(one(each), 4) + ",\n" for each in texts) + "]"

    inner = "".join(indented(several(each), 4) + ",\n" for each in (forward, backward))
    return f"migrations.RunSQL(\n{inner})"


def apart(database: Sequence[str], state: Sequence[str]) -> str:
    """Return a SeparateDatabaseAndState."""

    def listed(name: str, codes: Sequence[str]) -> str:
        inner = "".join(indented(one, 8) + ",\n" for one in codes)
        return f"    {name}=[\n{inner}    ],\n"

    both = listed("database_operations", database) + listed("state_operations", state)
    return f"migrations.SeparateDatabaseAndState(\n{both})"


def varied(source: Source, call: ast.Call, edits: list[tuple[int, int, str]]) -> str:
    """Return a call's code with edits made inside it."""
    start, end = source.start(call), source.end(call)
    text = applied(source.text[start:end], [(a - start, b - start, new) for a, b, new in edits])
    lines = text.split("\n")
    return "\n".join([lines[0], *(one.removeprefix(" " * call.col_offset) for one in lines[1:])])


def argument(call: ast.Call, number: int, name: str) -> ast.expr | None:
    """Return an argument by place or name."""
    named = next((word.value for word in call.keywords if word.arg == name), None)
    return named or (call.args[number] if len(call.args) > number else None)


def own_name(table: str, column: str, suffix: str = "") -> str:
    """Return the name that Django gives an index or constraint of one column."""
    bare = table.rpartition(".")[2]
    digest = hashlib.md5(bare.encode() + column.encode(), usedforsecurity=False).hexdigest()[:8]
    tail = digest + suffix
    name = f"{bare}_{column}_{tail}"
    if len(name) <= NAME:
        return name
    tail = tail[: NAME // 3]  # and both names are cut to what that leaves
    room = (NAME - len(tail)) // 2 - 1
    name = f"{bare[:room]}_{column[:room]}_{tail}"
    return f"D{name[:-1]}" if name[0] in "_0123456789" else name


def field_with(source: Source, call: ast.Call, word: str, value: str) -> str:
    """Return an operation's code with a keyword of its field set."""
    field = argument(call, 2, "field")
    if not isinstance(field, ast.Call) or any(each.arg is None for each in field.keywords):
        raise Declined("its field can't be read")
    given = next((each.value for each in field.keywords if each.arg == word), None)
    if given is not None:
        edit = (source.start(given), source.end(given), value)
    else:
        edit = source.with_argument(field, f"{word}={value}")
    moved(source, call)  # declines what can't be indented
    return varied(source, call, [edit])


def altering(source: Source, call: ast.Call) -> str:
    """Return the AlterField that ends where an AddField or AlterField does."""
    model, name = argument(call, 0, "model_name"), argument(call, 1, "name")
    field = argument(call, 2, "field")
    if not (model and name and field):
        raise Declined("its arguments can't be read")
    if "\n" in source.of(field):
        return _reflowed(source, model, name, field)
    return (
        f"migrations.AlterField(\n    model_name={source.of(model)},\n"
        f"    name={source.of(name)},\n    field={moved(source, field)},\n)"
    )


def _reflowed(source: Source, model: ast.expr, name: ast.expr, field: ast.expr) -> str:
    inner = moved(source, field).split("\n")
    indent = min((len(one) - len(one.lstrip()) for one in inner[1:] if one.strip()), default=0)
    tail = len(inner[-1]) - len(inner[-1].lstrip())
    base = min(indent, tail)
    lines = [inner[0], *("    " + one[base:] for one in inner[1:])]
    text = "\n".join(lines)
    return (
        f"migrations.AlterField(\n    model_name={source.of(model)},\n"
        f"    name={source.of(name)},\n    field={text},\n)"
    )


def build(table: str, column: str, suffix: str, opclass: str) -> tuple[str, str]:
    """Return what builds an index of Django's own naming CONCURRENTLY, and what drops it."""
    name = quoted(own_name(table, column, suffix))
    said = f"{quoted(column)} {opclass}".strip()
    return (
        f"CREATE INDEX CONCURRENTLY {name} ON {quoted(table)} ({said})",
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
    )
