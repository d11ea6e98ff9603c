"""What Alembic is asked to send as it is: SQL, SQLAlchemy's statements, types, and other code."""

from __future__ import annotations

from typing import Any

from tidegate.model.operation import (
    AlterType,
    Change,
    Code,
    CreateType,
    Data,
    Nothing,
    Opaque,
)
from tidegate.reading.migrations import sql
from tidegate.reading.migrations.alembic_columns import name_of, text_of, type_of
from tidegate.reading.migrations.alembic_words import Changes, Now
from tidegate.reading.migrations.kinds import Call
from tidegate.reading.migrations.record import Said
from tidegate.reading.migrations.rows import table_in


def execute(now: Now, said: Said) -> Changes:
    """Yield what a statement does."""
    value = said.args[0] if said.args else said.kwargs.get("sqltext")
    if isinstance(value, Call):
        made = _construct(value)
        if made is not None:
            yield made
            return
    text = text_of(value)
    if isinstance(text, str):
        yield from sql.changes(text, now.vendor)
    else:
        yield Opaque("SQL", text.why)


def _construct(value: Call) -> Change | None:
    """Return what a SQLAlchemy statement does: `table.update().where(...)` and its like."""
    names: list[str] = []
    root: Any = value
    first: Call = value
    while isinstance(root, Call):
        names.append(root.last)
        first = root
        if root.last in ("table", "Table"):
            break
        if root.receiver is None and "." in root.name:
            root = root.name.rpartition(".")[0]
            break
        root = root.receiver
    verb = next((one for one in ("update", "delete", "insert") if one in names), "")
    if not verb:
        return Nothing("query") if {"select", "query"} & set(names) else None
    target = first.args[0] if first.last == verb and first.args else root
    table = target.args[0] if isinstance(target, Call) and target.args else target
    bounded = bool({"where", "filter", "filter_by"} & set(names)) or verb == "insert"
    return Data(verb, table if isinstance(table, str) else "", bounded)


OURS = ("tidegate.backfill.backfill", "tidegate.backfill.forget")


def query_write(now: Now, said: Said) -> Changes:
    """Yield what an ORM query writes."""
    names: list[str] = []
    root = said.args[0] if said.args else None
    while isinstance(root, Call):
        names.append(root.last)
        root = root.receiver
    bounded = bool({"filter", "filter_by", "where"} & set(names))
    named = table_in(said.args[0]) if said.args else ""
    known = now.schema.table(named) is not None
    yield Data(said.name.removeprefix("query_"), named if known else "", bounded, named=named)


def bulk_insert(now: Now, said: Said) -> Changes:
    """Yield the rows."""
    target = said.args[0] if said.args else None
    table = target.args[0] if isinstance(target, Call) and target.args else ""
    yield Data("insert", name_of(table) if table else "")


def enum_create(now: Now, said: Said) -> Changes:
    """Yield a type that is made by hand."""
    _, values, name, _ = type_of(said.args[0], now.vendor)
    yield CreateType(name or "?enum", values)


def enum_drop(now: Now, said: Said) -> Changes:
    """Yield a type that goes."""
    name = type_of(said.args[0], now.vendor)[2]
    yield AlterType(name, "drop")


def foreign(now: Now, said: Said) -> Changes:
    """Yield what another module does."""
    name = str(said.kwargs.get("foreign", ""))
    if name in OURS:
        yield Nothing("backfill")  # in batches that commit: what it sets is in plain sight
        return
    yield Opaque(name, f"{name}() is another module's function")


def comment(now: Now, said: Said) -> Changes:
    """Yield a comment."""
    yield Nothing("comment")


def create_all(now: Now, said: Said) -> Changes:
    """Yield tables that nobody names."""
    yield Opaque("create_all", "it makes the tables of models, as they are when it runs")


def code(now: Now, said: Said) -> Changes:
    """Yield what runs and is not read."""
    yield Opaque("the function", "it works through code that is not one of Alembic's operations")


def shows(now: Now, said: Said) -> Changes:
    """Yield what the code does by itself."""
    yield Code("upgrade", (said.args[0],))
