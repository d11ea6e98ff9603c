"""A batch of Alembic as plain operations: on PostgreSQL both send the same statements."""

from __future__ import annotations

import ast
from typing import NamedTuple

from tidegate.workflows.check.edits import Source, applied
from tidegate.workflows.staging.stage import open_string

FIRST = ("add_column", "alter_column", "drop_column", "drop_table_comment", "create_table_comment")
SECOND = ("create_index", "create_unique_constraint", "create_check_constraint",
          "create_foreign_key", "create_primary_key", "create_exclude_constraint",
          "drop_constraint", "drop_index")  # fmt: skip
BARE = ("execute",)
KEYWORD = {"create_foreign_key": "source_table"}
Edit = tuple[int, int, str]


class Batch(NamedTuple):
    """A `with op.batch_alter_table(...) as name:` and what it is about, as source."""

    node: ast.With
    op: str
    name: str
    table: str


def directions(source: Source) -> list[ast.FunctionDef]:
    """Return upgrade() and downgrade(), those that there are."""
    names = ("upgrade", "downgrade")
    return [
        one for one in source.tree.body if isinstance(one, ast.FunctionDef) and one.name in names
    ]


def first(source: Source) -> list[Edit]:
    """Return the edit that writes the first batch out; none where there is none that can be."""
    for function in directions(source):
        for node in function.body:
            batch = _batch(source, node)
            text = _plain(source, batch) if batch is not None else ""
            if text:
                return [(source.offset(node.lineno, 0), source.end(node), text)]
    return []


def _batch(source: Source, node: ast.stmt) -> Batch | None:
    item = node.items[0] if isinstance(node, ast.With) and len(node.items) == 1 else None
    call = item.context_expr if item is not None else None
    func = call.func if isinstance(call, ast.Call) else None
    if not isinstance(node, ast.With) or not isinstance(func, ast.Attribute):
        return None
    if func.attr != "batch_alter_table" or not isinstance(call, ast.Call) or item is None:
        return None
    given = {word.arg: word.value for word in call.keywords}
    table = call.args[0] if call.args else given.pop("table_name", None)
    none = {"schema", "recreate"}  # None and "auto" say what nothing says
    more = {
        name
        for name, value in given.items()
        if not (name in none and isinstance(value, ast.Constant) and value.value in (None, "auto"))
    }
    if table is None or len(call.args) > 1 or more or not isinstance(item.optional_vars, ast.Name):
        return None
    return Batch(node, source.of(func.value), item.optional_vars.id, source.of(table))


def _plain(source: Source, batch: Batch) -> str:
    """Return the statements of a batch at its own margin, comments and all."""
    node = batch.node
    begin = source.offset(node.lineno, 0)
    head = source.text[begin : source.offset(node.body[0].lineno, 0)]
    comments = [line for line in head.splitlines(keepends=True) if line.strip().startswith("#")]
    tail = head.split("\n")[0].partition(":")[2].strip()  # `with ...:  # why`
    if tail.startswith("#"):
        comments.insert(0, " " * node.body[0].col_offset + tail + "\n")
    start = source.offset(node.body[0].lineno, 0)
    edits = [_edits(source, batch, one) for one in node.body]
    if start < source.end(node.items[0].context_expr) or not all(edits):
        return ""
    text = source.text[start : source.end(node)]
    text = applied(text, [(a - start, b - start, new) for one in edits for a, b, new in one])
    text = "".join(comments) + text
    if open_string(text):
        return ""
    by = " " * (node.body[0].col_offset - node.col_offset)
    return "\n".join(line.removeprefix(by) for line in text.split("\n"))


def _edits(source: Source, batch: Batch, node: ast.stmt) -> list[Edit]:
    """Say `op` for the batch in one of its statements, and name the table; [] if it is another."""
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    here = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
    if not isinstance(call, ast.Call) or not isinstance(func, ast.Attribute) or not here:
        return []
    if func.attr not in (*FIRST, *SECOND, *BARE):
        return []
    out = [(source.start(one), source.end(one), batch.op) for one in ast.walk(call)
           if isinstance(one, ast.Name) and one.id == batch.name]  # fmt: skip
    if func.attr in FIRST:
        at = source.start(call.args[0]) if call.args else source.end(func) + 1
        out.append((at, at, f"{batch.table}, "))
    elif func.attr in SECOND and call.args and func.attr != "drop_index":
        after = source.end(call.args[0])
        out.append((after, after, f", {batch.table}"))
    elif func.attr in SECOND:
        word = KEYWORD.get(func.attr, "table_name")
        out.append(source.with_argument(call, f"{word}={batch.table}"))
    return out
