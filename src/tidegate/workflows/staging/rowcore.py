"""SQLAlchemy's statements over one table, as a loop in a revision writes them."""

from __future__ import annotations

import ast
from typing import NamedTuple

from tidegate.workflows.staging.stage import Declined

PLAIN = "what it goes over is not a plain SELECT of one table"
MORE = "the loop does more than write a row that it has read, by its key"


KEPT = {
    "BigInteger",
    "Boolean",
    "Date",
    "DateTime",
    "Float",
    "Integer",
    "Numeric",
    "SmallInteger",
    "String",
    "TIMESTAMP",
    "Text",
    "Time",
    "Unicode",
    "UnicodeText",
    "VARCHAR",
}  # types that give Python a value as the database has it; any other may change it on the way


class Update(NamedTuple):
    """`t.update().where(t.c.key == value).values(column=value)`."""

    table: str
    key: str
    keyed: ast.expr
    values: dict[str, ast.expr]


def query(node: ast.expr, names: dict[str, ast.expr]) -> tuple[str, list[str]] | None:
    """Return the table and the columns of `t.select()` or `select(t.c.a)`; None for other code."""
    func = node.func if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or _last(func) != "select":
        return None
    owner = func.value if isinstance(func, ast.Attribute) else None
    own = table(owner, names) if owner is not None else None
    if own is not None and not node.args:
        return own
    asked = list(node.args)
    if len(asked) == 1 and isinstance(asked[0], ast.List):
        asked = list(asked[0].elts)
    first = asked[0] if asked else None
    whole = table(first, names) if first is not None else None
    if whole is not None and len(asked) == 1:
        return whole
    found = [column(one, names) for one in asked]
    if not found or any(one is None or one[0] != (found[0] or ("",))[0] for one in found):
        raise Declined(PLAIN)
    return found[0][0], [one[1] for one in found if one]  # type: ignore[index]


def update(node: ast.expr, names: dict[str, ast.expr]) -> Update | None:
    """Return what an update sets and where; None for other code."""
    calls: dict[str, ast.Call] = {}
    while isinstance(node, ast.Call):
        calls[_last(node.func)] = node
        made = table(node.args[0], names) if _last(node.func) == "update" and node.args else None
        if made is not None:
            return _of(made, calls, names)
        if not isinstance(node.func, ast.Attribute):
            return None
        node = node.func.value
    made = table(node, names) if "update" in calls else None
    return None if made is None else _of(made, calls, names)


def _of(
    made: tuple[str, list[str]], calls: dict[str, ast.Call], names: dict[str, ast.expr]
) -> Update:
    where, values = calls.get("where"), calls.get("values")
    if where is None or values is None or set(calls) != {"update", "where", "values"}:
        raise Declined(MORE)
    test = where.args[0] if len(where.args) == 1 else None
    equal = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq)
    key = column(test.left, names) if isinstance(test, ast.Compare) and equal else None
    given = {word.arg: word.value for word in values.keywords if word.arg}
    if len(values.args) == 1 and isinstance(values.args[0], ast.Dict):
        for one, value in zip(values.args[0].keys, values.args[0].values, strict=True):
            if not isinstance(one, ast.Constant) or not isinstance(one.value, str):
                raise Declined(MORE)
            given[one.value] = value
    elif values.args:
        raise Declined(MORE)
    if key is None or key[0] != made[0] or not given or not isinstance(test, ast.Compare):
        raise Declined(MORE)
    for name in given:
        if name not in made[1]:
            raise Declined(f"the type of {made[0]}.{name} may change what Python writes")
    return Update(made[0], key[1], test.comparators[0], given)


def table(node: ast.expr, names: dict[str, ast.expr]) -> tuple[str, list[str]] | None:
    """Return the name and the columns of `table("...", column("..."))`, or of a name for one."""
    if isinstance(node, ast.Name) and node.id in names:
        return table(names[node.id], names)
    if not isinstance(node, ast.Call) or _last(node.func) not in ("table", "Table"):
        return None
    first = node.args[0] if node.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    columns = [
        one.args[0].value
        for one in node.args[1:]
        if isinstance(one, ast.Call)
        and one.args
        and isinstance(one.args[0], ast.Constant)
        and _is_kept(one)
    ]
    if any(word.arg == "schema" for word in node.keywords):
        raise Declined("the table is in a schema of its own")
    return first.value, [one for one in columns if isinstance(one, str)]


def column(node: ast.expr, names: dict[str, ast.expr]) -> tuple[str, str] | None:
    """Return the table and the column of `t.c.x`."""
    holder = node.value if isinstance(node, ast.Attribute) else None
    if not isinstance(node, ast.Attribute) or not isinstance(holder, ast.Attribute):
        return None
    found = table(holder.value, names) if holder.attr in ("c", "columns") else None
    return None if found is None else (found[0], node.attr)


def _is_kept(node: ast.Call) -> bool:
    """Whether a column's values are the same in Python and in SQL."""
    words = {word.arg for word in node.keywords}
    type = node.args[1] if len(node.args) > 1 else None
    plain = type.func if isinstance(type, ast.Call) else type
    return "onupdate" not in words and (type is None or _last(plain) in KEPT)


def _last(func: ast.expr | None) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
