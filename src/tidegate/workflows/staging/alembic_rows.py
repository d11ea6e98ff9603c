"""Staged rewrites of what a revision does to rows: in batches that commit."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tidegate.model.finding import Finding
from tidegate.model.operation import (
    Code,
    Data,
)
from tidegate.workflows.check.edits import Fixed, Source, applied
from tidegate.workflows.staging import batches
from tidegate.workflows.staging.alembic_files import backward_of, body, divide, function
from tidegate.workflows.staging.alembic_writing import (
    in_block,
    statement,
)
from tidegate.workflows.staging.common import of_finding
from tidegate.workflows.staging.django_files import cut
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.rowloops import of_loop
from tidegate.workflows.staging.stage import (
    Declined,
    Stage,
    names_in,
)


def filling(suffix: str, made: batches.Batched) -> Stage:
    """Return the stage that goes over a table in batches."""
    code = in_block(made.call("op.get_bind()"))
    back = (made.forget("op.get_bind()"),)
    return Stage(suffix, (code,), back, atomic=False, alone=True, imports=(batches.IMPORT,))


def data(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """An UPDATE of all rows goes over them in batches that commit."""
    at = of_finding(ats, one, Data)
    number, _, _ = statement(source, at)
    made = batches.of_sql(at.operation.sql.replace("\\:", ":"), at)  # text() takes \: for :
    if backward_of(source, number):
        raise Declined("downgrade() writes the rows too")
    return divide(source, number, [filling(f"fill_{made.table}", made)],
                  "in batches that commit, with tidegate.backfill")  # fmt: skip


def rows(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A loop that writes each row by its key goes over them in batches that commit."""
    at = of_finding(ats, one, Code)
    ups = body(function(source, "upgrade"))
    lines = [node.lineno for node in ups]
    number = lines.index(one.place.line) if one.place.line in lines else -1
    loop = ups[number]
    if number < 0 or not isinstance(loop, ast.For):
        raise Declined("it is not a loop that stands by itself in upgrade()")
    made = of_loop(loop, [*source.tree.body, *ups[:number]], at)
    if backward_of(source, number):
        raise Declined("downgrade() writes the rows too")
    bare, number = without_names(source, ups, number)
    return divide(bare, number, [filling(f"fill_{made.table}", made)],
                  "in batches that commit, with tidegate.backfill")  # fmt: skip


def without_names(source: Source, ups: Sequence[ast.stmt], number: int) -> tuple[Source, int]:
    """Return the revision without what only the loop asked for, and the loop's new number."""
    wanted = names_in(ast.unparse(ups[number]))
    gone: list[ast.stmt] = []
    for node in reversed(ups[:number]):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        others = [one for one in ups if one not in (*gone, node, ups[number])]
        used = {name for one in others for name in names_in(ast.unparse(one))}
        if isinstance(target, ast.Name) and target.id in wanted and target.id not in used:
            gone.append(node)
            wanted |= names_in(ast.unparse(node))
    if not gone:
        return source, number
    text = applied(source.text, [cut(source, node) for node in gone])
    return Source(source.project, source.path, text, ast.parse(text)), number - len(gone)
