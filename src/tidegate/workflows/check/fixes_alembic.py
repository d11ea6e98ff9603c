"""Safe rewrites of Alembic revisions."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable

from tidegate.model.finding import Finding
from tidegate.workflows.check.edits import Fixed, Source, applied

INDEX = ("create_index", "drop_index")
BLOCK = "with op.get_context().autocommit_block():"


def _upgrade(source: Source) -> ast.FunctionDef | None:
    return next(
        (n for n in source.tree.body if isinstance(n, ast.FunctionDef) and n.name == "upgrade"),
        None,
    )


def _called(node: ast.stmt) -> str:
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    plain = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
    return func.attr if plain and isinstance(func, ast.Attribute) else ""


def _statement(source: Source, one: Finding) -> tuple[list[ast.stmt], int]:
    """Return the statements of upgrade() and the number of the one that is flagged; -1: none."""
    upgrade = _upgrade(source)
    body = upgrade.body if upgrade else []
    for number, node in enumerate(body):
        if node.lineno == one.place.line and node.col_offset + 1 == one.place.column:
            return body, number
    return body, -1


def concurrently(source: Source, one: Finding) -> Fixed | None:
    """The last statements of upgrade(), if they are about indexes, go into an autocommit block.

    What stands before it is committed when the block begins; so nothing may follow the block.
    """
    body, number = _statement(source, one)
    if number < 0 or any(_called(node) not in INDEX for node in body[number:]):
        return None
    first = number
    while first and _called(body[first - 1]) in INDEX:
        first -= 1
    return _in_block(source, body[first:], "CONCURRENTLY, in an autocommit block")


def _in_block(source: Source, nodes: list[ast.stmt], what: str) -> Fixed | None:
    edits = []
    for node in nodes:
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and _called(node) in INDEX:
            given = {word.arg for word in call.keywords}
            if None in given:
                return None
            if "postgresql_concurrently" not in given:
                edits.append(source.with_argument(call, "postgresql_concurrently=True"))
    start, end = source.start(nodes[0]), source.end(nodes[-1])
    line = source.text.rindex("\n", 0, start) + 1
    indent = source.text[line:start]
    inner = [(a - line, b - line, text) for a, b, text in edits]
    block = applied(source.text[line:end], inner)
    if _has_open_string(nodes):
        return None
    deeper = "\t" if indent[:1] == "\t" else "    "
    moved = "\n".join(deeper + text if text.strip() else text for text in block.split("\n"))
    text = source.text[:line] + f"{indent}{BLOCK}\n{moved}" + source.text[end:]
    return Fixed(source.path, text, what)


def _has_open_string(nodes: list[ast.stmt]) -> bool:
    """Whether a string runs over several lines: indenting would change it."""
    return any(
        isinstance(one, ast.Constant | ast.JoinedStr) and one.lineno != one.end_lineno
        for node in nodes
        for one in ast.walk(node)
    )


def in_block(source: Source, one: Finding) -> Fixed | None:
    """A concurrent statement at the end of upgrade() goes into an autocommit block."""
    body, number = _statement(source, one)
    if number < 0 or number != len(body) - 1:
        return None
    return _in_block(source, body[number:], "in an autocommit block")


def split(source: Source, one: Finding) -> Fixed | None:
    """A foreign key or check is added NOT VALID, and validated by the next revision."""
    body, number = _statement(source, one)
    call = body[number].value if number >= 0 and isinstance(body[number], ast.Expr) else None  # type: ignore[attr-defined]
    if not isinstance(call, ast.Call):
        return None
    if _called(body[number]) not in ("create_foreign_key", "create_check_constraint"):
        return None
    first = call.args[:2]
    if len(first) < 2 or not all(isinstance(n, ast.Constant) for n in first) or not first[0].value:  # type: ignore[attr-defined]
        return None
    name, table = (str(node.value) for node in first)  # type: ignore[attr-defined]
    following = _following(source, name, table)
    if following is None or any(
        word.arg in (None, "source_schema", "schema") for word in call.keywords
    ):
        return None
    text = applied(source.text, [source.with_argument(call, "postgresql_not_valid=True")])
    return Fixed(source.path, text, "NOT VALID, and validated by the next revision", following)


def _following(source: Source, name: str, table: str) -> dict[str, str] | None:
    """Return a revision after this one; None where another follows already."""
    from tidegate.reading.migrations import alembic_source

    own = alembic_source.read(source.text, source.path, "")
    if own is None:
        return None
    for one in source.project.sources():
        if one.framework != "alembic":
            continue
        other = alembic_source.read(source.project.read(one.path), one.path, one.name)
        if other is not None and own.id in other.needs:
            return None
    revision = hashlib.sha256(f"{own.id} validate {name}".encode()).hexdigest()[:12]
    text = f'''"""validate {name}

Revision ID: {revision}
Revises: {own.id}
"""

from alembic import op

revision = "{revision}"
down_revision = "{own.id}"
branch_labels = None
depends_on = None


def upgrade():
    op.execute('ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"')


def downgrade():
    """Nothing to undo: the constraint is dropped by {own.id}."""
'''
    return {source.beside(f"{revision}_validate_{name}".lower()[:60]): text}


FIXERS: dict[str, Callable[[Source, Finding], Fixed | None]] = {
    "index-without-concurrently": concurrently,
    "index-dropped-without-concurrently": concurrently,
    "concurrently-in-transaction": in_block,
    "foreign-key-validates": split,
    "check-validates": split,
}
