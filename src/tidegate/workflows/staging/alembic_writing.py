"""Alembic's operations as they are found in a revision, and as they are written into one."""

from __future__ import annotations

import ast

from tidegate.workflows.check.edits import Source
from tidegate.workflows.check.fixes_alembic import BLOCK
from tidegate.workflows.staging.alembic_files import body, function
from tidegate.workflows.staging.django_writing import varied
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import (
    Declined,
    indented,
    literal,
    moved,
    quoted,
)


def statement(source: Source, at: At) -> tuple[int, ast.Expr, ast.Call]:
    """Return the statement of upgrade() that holds an operation, its number and its call."""
    span = at.operation.span
    for number, node in enumerate(body(function(source, "upgrade"))):
        here = (node.lineno, node.end_lineno) == (span.line, span.end_line)
        if here and isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return number, node, node.value
    raise Declined(
        "it stands in a block or a helper: write it as a statement of its own in upgrade()"
    )


def execute(text: str) -> str:
    """Return an op.execute."""
    said = literal(text)
    return f"op.execute({said})" if "\n" not in said else f"op.execute(\n{indented(said, 4)}\n)"


def in_block(code: str) -> str:
    """Return a statement outside of the revision's transaction."""
    return f"{BLOCK}\n{indented(code, 4)}"


def words_of(call: ast.Call) -> dict[str, ast.expr]:
    """Return the arguments that a call names."""
    if any(word.arg is None for word in call.keywords):
        raise Declined("its arguments can't be read")
    return {word.arg: word.value for word in call.keywords if word.arg}


def refuse_schema(call: ast.Call) -> None:
    """Decline for a table in a schema of its own."""
    if {"schema", "source_schema"} & set(words_of(call)):
        raise Declined("the table is in a schema of its own")


def sql_name(name: str) -> str:
    """Return the name that a literal holds as SQL."""
    return quoted(str(ast.literal_eval(name)))


def concurrently(source: Source, call: ast.Call) -> str:
    """Return the call of an index's operation, CONCURRENTLY."""
    moved(source, call)
    if "postgresql_concurrently" in words_of(call):
        return moved(source, call)
    return varied(source, call, [source.with_argument(call, "postgresql_concurrently=True")])
