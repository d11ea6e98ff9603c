"""What Python makes of a row's values, said in SQL."""

from __future__ import annotations

import ast
from collections.abc import Callable

from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined, quoted

METHODS = {"lower": "lower({})", "upper": "upper({})"}
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
NUMBERS = ("integer", "bigint", "smallint", "numeric", "double precision", "real")
ColumnOf = Callable[[ast.expr], str]


def expression(node: ast.expr, column_of: ColumnOf, table: str, at: At) -> str:
    """Return an expression over a row as SQL. `column_of` returns "" for what is no column."""
    if isinstance(node, ast.Constant):
        return constant(node.value)
    name = column_of(node)
    if name:
        return quoted(name)
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute) and func.attr in METHODS and not node.args:  # type: ignore[attr-defined]
        return METHODS[func.attr].format(expression(func.value, column_of, table, at))
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left = expression(node.left, column_of, table, at)
        right = expression(node.right, column_of, table, at)
        sign = OPERATORS[type(node.op)]
        if sign == "+" and not _is_number(node, column_of, table, at):
            sign = "||"
        return f"({left} {sign} {right})"
    raise Declined(f"{ast.unparse(node)} can't be said in SQL here")


def _is_number(node: ast.expr, column_of: ColumnOf, table: str, at: At) -> bool:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            return False
        name = column_of(one) if isinstance(one, ast.expr) else ""
        column = at.column(table, name) if name else None
        if column is not None:
            return column.type.split("(")[0] in NUMBERS
    return True


def constant(value: object) -> str:
    """Return a plain value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise Declined(f"{value!r} can't be said in SQL here")
