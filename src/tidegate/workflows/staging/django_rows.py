"""Staged rewrites of what a Django migration does to rows: in batches that commit."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tidegate.model.finding import Finding
from tidegate.model.operation import (
    Code,
    Data,
)
from tidegate.workflows.check.edits import Fixed, Source, applied
from tidegate.workflows.check.fixes_django import operations
from tidegate.workflows.staging import batches
from tidegate.workflows.staging.common import of_finding
from tidegate.workflows.staging.django_files import cut, divide
from tidegate.workflows.staging.django_writing import (
    argument,
    call_of,
)
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.remarks import Remarks, of_function
from tidegate.workflows.staging.stage import Declined, Stage, indented

SILENT = Remarks()


def filling(
    suffix: str, name: str, made: batches.Batched, reverse: str = "", said: Remarks = SILENT
) -> Stage:
    """Return the stage of a RunPython that goes over a table in batches.

    The way back forgets how far it got, after `reverse`, the function that takes the rows back.
    `said` is what stood about the function that it is made of.
    """
    connection = "schema_editor.connection"
    back = f"undo_{name}" if f"undo_{name}" != reverse else f"take_back_{name}"
    undo = [f"{reverse}(apps, schema_editor)"] if reverse else []
    undo.append(made.forget(connection))
    forward = [*([said.doc] if said.doc else []), *said.inside, made.call(connection)]
    code = "\n\n\n".join(
        f"def {function}(apps, schema_editor):\n" + indented("\n".join(lines), 4)
        for function, lines in ((name, forward), (back, undo))
    )
    code = "\n".join([*said.above, code])
    run = f"migrations.RunPython({name}, {back})"
    return Stage(suffix, (run,), atomic=False, alone=True, code=code, imports=(batches.IMPORT,))


def data(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A loop or an update over all rows goes over them in batches that commit."""
    at = of_finding(ats, one, Code, Data)
    call = call_of(source, at)
    number = operations(source).index(call)
    app = source.project.source(source.path).group
    if isinstance(at.change, Data):
        made = batches.of_sql(at.operation.sql, at)
        back = argument(call, 1, "reverse_sql")
        if back is not None and source.of(back) not in ("migrations.RunSQL.noop", '""', "''"):
            raise Declined("its reverse writes rows too")
        stage = filling(f"fill_{made.table.rpartition('.')[2]}", _free(source, "fill"), made)
        return divide(source, call, [stage], "in batches that commit, with tidegate.backfill")
    name = at.change.name if isinstance(at.change, Code) else ""
    function = next((n for n in source.tree.body if isinstance(n, ast.FunctionDef)
                     and n.name == name), None)  # fmt: skip
    if function is None or function.decorator_list:
        raise Declined("its function is not in this file")
    made = batches.of_function(function, app, at)
    reverse = argument(call, 1, "reverse_code")
    said = source.of(reverse) if reverse is not None else ""
    about = of_function(source, function)
    stage = filling(name, name, made, "" if said.endswith(".noop") else said, about)
    bare = applied(source.text, [cut(source, function)])
    without = Source(source.project, source.path, bare, ast.parse(bare))
    again = operations(without)[number]
    assert isinstance(again, ast.Call)
    return divide(without, again, [stage], "in batches that commit, with tidegate.backfill")


def _free(source: Source, name: str) -> str:
    taken = {n.name for n in source.tree.body if isinstance(n, ast.FunctionDef)}
    while name in taken:
        name += "_rows"
    return name
