"""A revision's loop over rows, that writes each by its key, as the UPDATE that does the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from tidegate.workflows.staging import rowcore
from tidegate.workflows.staging.batches import Batched
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.rowcore import MORE, PLAIN
from tidegate.workflows.staging.saying import expression
from tidegate.workflows.staging.stage import Declined, quoted

SELECT = re.compile(
    r"""\s*SELECT\s+([\w\s,."]+?)\s+FROM\s+([\w."]+)(?:\s+WHERE\s+(.*?))?(?:\s+ORDER\s+BY\s+[\w\s,."]+)?\s*;?\s*""",
    re.I | re.S,
)
UPDATE = re.compile(
    r"""\s*UPDATE\s+([\w."]+)\s+SET\s+(.*?)\s+WHERE\s+([\w."]+)\s*=\s*:(\w+)\s*;?\s*""", re.I | re.S
)
PARAMETER = re.compile(r"(?<![:\w]):(\w+)")
OTHER = re.compile(r"\b(JOIN|GROUP|LIMIT|DISTINCT|UNION|RETURNING|FROM|SELECT|HAVING)\b", re.I)
THROUGH = ("fetchall", "all", "mappings", "yield_per")  # they give the same rows


def of_loop(node: ast.For, before: Sequence[ast.stmt], at: At) -> Batched:
    """Return what a loop does. Declines for what one UPDATE can't say.

    `before` are the statements above it, which may name the query or the statement.
    """
    names = {
        one.targets[0].id: one.value
        for one in before
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)
    }
    sent = _sent(node.iter, names)
    core = rowcore.query(sent, names)
    table, columns, where = (*core, "") if core else _query(_text(sent, names))
    row = _Row(node.target, columns)
    for one in node.body[:-1]:
        if not isinstance(one, ast.Assign) or not isinstance(one.targets[0], ast.Name):
            raise Declined(MORE)
        row.named[one.targets[0].id] = one.value
    call = node.body[-1].value if isinstance(node.body[-1], ast.Expr) else None
    if node.orelse or not isinstance(call, ast.Call) or not _executes(call):
        raise Declined(MORE)
    key = at.key(table)
    return Batched(table, _sets(call, table, key, row, names, at), where, key)


class _Row:
    """What the loop calls the row and its values."""

    def __init__(self, target: ast.expr, columns: Sequence[str]) -> None:
        self.columns = columns
        self.whole = target.id if isinstance(target, ast.Name) else ""
        self.parts: list[str] = []
        self.named: dict[str, ast.expr] = {}
        if isinstance(target, ast.Tuple):
            self.parts = [one.id if isinstance(one, ast.Name) else "" for one in target.elts]

    def column(self, node: ast.expr) -> str:
        """Return the column that an expression reads; "" for anything else."""
        if isinstance(node, ast.Name):
            return self._part(node.id)
        if isinstance(node, ast.Attribute) and self._is_row(node.value):
            return node.attr if node.attr in self.columns else ""
        if isinstance(node, ast.Subscript) and self._is_row(node.value):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(key, int) and key < len(self.columns):
                return self.columns[key]
            return key if isinstance(key, str) and key in self.columns else ""
        return ""

    def meant(self, node: ast.expr) -> ast.expr:
        """Return an expression with what stands above it in the loop put in place."""
        named = self.named

        class Put(ast.NodeTransformer):
            def visit_Name(self, one: ast.Name) -> ast.AST:
                return self.visit(named[one.id]) if one.id in named else one

        return Put().visit(ast.parse(ast.unparse(node), mode="eval").body)  # type: ignore[no-any-return]

    def _part(self, name: str) -> str:
        if len(self.parts) != len(self.columns) or name not in self.parts:
            return ""
        return self.columns[self.parts.index(name)]

    def _is_row(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "_mapping":
            node = node.value
        return isinstance(node, ast.Name) and bool(self.whole) and node.id == self.whole


def _executes(node: ast.expr) -> bool:
    func = node.func if isinstance(node, ast.Call) else None
    return isinstance(func, ast.Attribute) and func.attr in ("execute", "exec_driver_sql")


def _sent(node: ast.expr, names: dict[str, ast.expr]) -> ast.expr:
    """Return the statement whose rows an expression gives."""
    while True:
        if isinstance(node, ast.Name) and node.id in names:
            node = names[node.id]
        elif isinstance(node, ast.Call) and _executes(node) and len(node.args) == 1:
            return node.args[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in THROUGH:
                raise Declined(PLAIN)
            node = node.func.value
        else:
            raise Declined(PLAIN)


def _text(node: ast.expr, names: dict[str, ast.expr]) -> str:
    """Return the SQL of `text("...")`, of a string, or of what has a name."""
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], names)
    func = node.func if isinstance(node, ast.Call) else None
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if isinstance(node, ast.Call) and name == "text" and len(node.args) == 1:
        return _text(node.args[0], names)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise Declined("its SQL is not written as text")


def _query(text: str) -> tuple[str, list[str], str]:
    """Return the table, the columns and the condition of a SELECT."""
    found = SELECT.fullmatch(text)
    if found is None or OTHER.search(found[3] or "") or ":" in (found[3] or ""):
        raise Declined(PLAIN)
    columns = [one.strip().strip('"') for one in found[1].split(",")]
    if not all(re.fullmatch(r"\w+", one) for one in columns):
        raise Declined(PLAIN)
    return found[2].replace('"', ""), columns, " ".join((found[3] or "").split())


def _sets(
    call: ast.Call, table: str, key: str, row: _Row, names: dict[str, ast.expr], at: At
) -> str:
    """Return what the loop's UPDATE sets, with the row's columns in place of its parameters."""
    core = rowcore.update(call.args[0], names) if call.args else None
    if core is not None:
        if (core.table, core.key) != (table, key) or row.column(row.meant(core.keyed)) != key:
            raise Declined(MORE)
        return ", ".join(
            f"{quoted(name)} = {expression(row.meant(value), row.column, table, at)}"
            for name, value in core.values.items()
        )
    statement, given = _parameters(call)
    found = UPDATE.fullmatch(_text(statement, names))
    if found is None or OTHER.search(found[2]):
        raise Declined(MORE)
    keyed = given.get(found[4])
    same = found[1].replace('"', "") == table and found[3].replace('"', "") == key
    if not key or not same or keyed is None or row.column(row.meant(keyed)) != key:
        raise Declined(MORE)
    said = {
        name: expression(row.meant(value), row.column, table, at)
        for name, value in given.items()
        if name != found[4]
    }
    text = PARAMETER.sub(lambda one: said.get(one[1], one[0]), " ".join(found[2].split()))
    if PARAMETER.search(text.replace("::", "")):
        raise Declined(MORE)
    return text


def _parameters(call: ast.Call) -> tuple[ast.expr, dict[str, ast.expr]]:
    """Return the statement of an execute(), and its parameters by name."""
    statement = call.args[0] if call.args else None
    given = {word.arg: word.value for word in call.keywords if word.arg}
    func = statement.func if isinstance(statement, ast.Call) else None
    bound = isinstance(func, ast.Attribute) and func.attr == "bindparams"
    if isinstance(statement, ast.Call) and isinstance(func, ast.Attribute) and bound:
        given |= {word.arg: word.value for word in statement.keywords if word.arg}
        statement = func.value
    more = call.args[1] if len(call.args) > 1 else None
    if isinstance(more, ast.Dict):
        for name, value in zip(more.keys, more.values, strict=True):
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                given[name.value] = value
    if statement is None or not given:
        raise Declined(MORE)
    return statement, given
