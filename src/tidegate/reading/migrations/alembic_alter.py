"""`op.alter_column`: what changes of a column, and what MySQL is not told of it."""

from __future__ import annotations

import re
from typing import Any

from tidegate.model.operation import AddConstraint, AlterColumn, Column, Nothing, RenameColumn
from tidegate.reading.migrations.alembic_columns import (
    checks_of_type,
    default_of,
    name_of,
    type_of,
)
from tidegate.reading.migrations.alembic_words import Changes, Now, args_of, table_of
from tidegate.reading.migrations.kinds import Call
from tidegate.reading.migrations.record import Said

TIMES = ("DateTime", "DATETIME", "TIMESTAMP")


def alter_column(now: Now, said: Said) -> Changes:
    """Yield what changes, and the new name."""
    raw, named = args_of(said, "table_name", "column_name")
    table, column, kwargs = table_of(said, raw), name_of(named), said.kwargs
    type: str | None = None
    enum: tuple[str, ...] = ()
    if kwargs.get("type_") is not None:
        type, enum, _, _ = type_of(kwargs["type_"], now.vendor)
    nullable = kwargs.get("nullable")
    default, text = None, ""
    if "server_default" in kwargs:
        value = kwargs["server_default"]
        default, text = default_of(value)
        if isinstance(value, Call) and value.last == "Identity":
            default = None
    unsaid = _unsaid(kwargs) if now.vendor == "mysql" else ()
    change = AlterColumn(
        table, column, _before(now, table, column, kwargs), type,
        nullable if isinstance(nullable, bool) else None, default, text,
        using="" if _is_plain(kwargs.get("postgresql_using"), column) else "using",
        identity=True if kwargs.get("autoincrement") is True else None,
        enum=enum, unsaid=unsaid,
    )  # fmt: skip
    changes = change[3:6] != (None, None, None)
    if changes or change.identity or unsaid:
        yield change
    for check in checks_of_type(kwargs.get("type_")):
        yield AddConstraint(table, check._replace(columns=(column,)), "the type's CHECK")
    new = _new_name(kwargs)
    if new is not None and name_of(new) != column:
        yield RenameColumn(table, column, name_of(new))
    if not changes and new is None:
        yield Nothing("field", table, column)


def _before(now: Now, table: str, column: str, kwargs: dict[str, Any]) -> Column | None:
    """Return the column as replay knows it, or as `existing_...` says it is."""
    known = now.schema.table(table)
    found = known.columns.get(column) if known else None
    if found is not None and (found.type or "existing_type" not in kwargs):
        return found
    if "existing_type" not in kwargs and "existing_nullable" not in kwargs:
        return found
    type = type_of(kwargs.get("existing_type"), now.vendor)[0]
    nullable = kwargs.get("existing_nullable") is not False
    default = default_of(kwargs.get("existing_server_default"))[0]
    return (found or Column(column))._replace(type=type, nullable=nullable, default=default)


def _new_name(kwargs: dict[str, Any]) -> Any:
    return kwargs.get("new_column_name", kwargs.get("name"))


def _unsaid(kwargs: dict[str, Any]) -> tuple[str, ...]:
    """Return what MySQL is to be told of the column and the call leaves out.

    There a column is written anew as a whole; only its default can be changed by itself, and not
    that of a time. Alembic takes what stays from the arguments `existing_...`.
    """
    type = kwargs.get("type_") or kwargs.get("existing_type")
    asked = [
        _new_name(kwargs),
        *(kwargs.get(one) for one in ("type_", "nullable", "autoincrement")),
    ]
    comment = kwargs.get("comment", False) is not False
    time = "server_default" in kwargs and getattr(type, "last", "") in TIMES
    if not comment and not time and all(one is None for one in asked):
        return ()
    given = {
        "type": type,
        "nullable": _first(kwargs, "nullable"),
        "server_default": "server_default" in kwargs or _first(kwargs, "server_default"),
        "autoincrement": _first(kwargs, "autoincrement"),
    }
    return tuple(name for name, value in given.items() if value is None)


def _first(kwargs: dict[str, Any], name: str) -> Any:
    """Return what the column gets, or else has."""
    value = kwargs.get(name)
    return kwargs.get(f"existing_{name}") if value is None else value


def _is_plain(using: Any, column: str) -> bool:
    """Whether `postgresql_using` is the column itself, or a cast of it."""
    if using is None:
        return True
    cast = rf"\(?\"?{re.escape(column)}\"?\)?(::[\w .()\"\[\],]+)*"
    return isinstance(using, str) and re.fullmatch(cast, using.strip()) is not None
