"""Rows of the database that code goes over, and what it does for each of them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tidegate.model.operation import Span, Trait
from tidegate.reading.migrations.kinds import Call, Choice, Ref, Thing, Unknown, is_made

SELECT = re.compile(
    r"""^\s*(?:with\b.*\)\s*)?select\b(.*?)\bfrom\s+(?:only\s+)?([\w."]+)(.*)$""", re.I | re.S
)
FEW = re.compile(r"\b(limit|group\s+by|fetch\s+first)\b", re.I)
SMALL = re.compile(r"\b(limit\s+1\b|group\s+by|fetch\s+first\s+(1\s+)?row\b)", re.I)
ONE = re.compile(r"^\s*(distinct\b|(count|max|min|sum|avg|exists|bool_or)\s*\()", re.I)
CHANGES = re.compile(r"^\s*(update|delete)\b", re.I)
SYSTEM = ("pg_", "information_schema", "sqlite_", "alembic_version", "django_")
FETCHING = ("all", "fetchall", "fetchmany", "mappings", "partitions", "scalars", "tuples",
            "unique", "yield_per", "execution_options", "iterator")  # fmt: skip
SENDING = ("execute", "exec_driver_sql", "scalars")
SINGLE = ("limit", "distinct", "group_by", "first", "one", "scalar", "count", "fetchone", "get")


class Rows(Thing):
    """Several rows of a table or model; `few` where they are told to be some of them alone."""

    __slots__ = ("few", "name", "own", "slice")

    def __init__(
        self, name: str, few: bool = False, own: bool = False, slice: bool = False
    ) -> None:
        self.name = name
        self.few = few
        self.own = own  # without any condition
        self.slice = slice  # a part by numbers

    def of(self, name: str) -> Rows:
        """Return such rows of a model."""
        return Rows(name, self.few, self.own, self.slice)


class Row(Thing):
    """One row, as code holds it; `each` where it is one of a loop over many, `own` over all.

    `next` is one that a `while` asks for in each turn.
    """

    __slots__ = ("each", "name", "next", "own")

    def __init__(
        self, name: str, each: bool = False, own: bool = False, next: bool = False
    ) -> None:
        self.name = name
        self.each = each
        self.own = own
        self.next = next


class Batches(Thing):
    """Parts of some rows, that together are all of them."""

    __slots__ = ("rows",)

    def __init__(self, rows: Rows) -> None:
        self.rows = rows


def selected(text: str) -> Rows | None:
    """Return the rows of a SELECT; None for any other statement, and for the catalogue's rows."""
    found = SELECT.match(text)
    if found is None:
        return None
    columns, table, rest = found.groups()
    name = table.replace('"', "").removeprefix("public.")
    if name.lower().startswith(SYSTEM):
        return None
    one, few = bool(ONE.match(columns)), FEW.search(rest)
    part = few is not None and not one and not SMALL.search(rest)
    return Rows(name, one or few is not None, "where" not in rest.lower(), part)


def sent(value: Any) -> Any:
    """Return the statement of a call that sends one: `bind.execute(...)`, `session.query(...)`."""
    while isinstance(value, Call):
        if value.last in SENDING and value.args:
            return value.args[0]
        if value.last == "query":
            return value
        value = value.receiver
    return None


def names_in(value: Any) -> list[str]:
    """Return the methods of a chain of calls, outermost first."""
    names = []
    while isinstance(value, Call):
        names.append(value.last)
        value = value.receiver
    return names


def text_in(value: Any) -> str:
    """Return the text of a statement, holes as {}; "" where it is not one."""
    while isinstance(value, Call):
        own = value.last in ("text", "SQL") and value.args
        value = value.args[0] if own else value.receiver
    if isinstance(value, Choice):  # whichever it is, it is about the same rows
        value = value.options[0][1]
    return value if isinstance(value, str) else value.known if isinstance(value, Unknown) else ""


def table_in(value: Any) -> str:
    """Return the table or class that a statement of SQLAlchemy's is about; "" where not told."""
    if isinstance(value, Ref):
        parts = value.name.split(".")
        inner = re.search(r"[tT]able\(([\w.]+)\)", value.name)
        upper = [one for one in parts if one[:1].isupper()]
        return inner.group(1) if inner else upper[0] if upper else ""
    if isinstance(value, list | tuple) and not is_made(value):
        return next((name for one in value if (name := table_in(one))), "")
    if not isinstance(value, Call):
        return ""
    if value.last in ("table", "Table") and value.args and isinstance(value.args[0], str):
        return value.args[0]
    found = "" if value.receiver is None else table_in(value.receiver)
    return found or (table_in(value.args) if value.last in ("select", "query") else "")


def queried(value: Any) -> Rows | None:
    """Return the rows that a call of SQLAlchemy's brings; None for anything else."""
    statement = sent(value)
    if statement is None:
        return None
    if text := text_in(statement):
        return selected(text)
    names = [*names_in(value), *names_in(statement)]
    if not {"select", "query"} & set(names):
        return None
    name = table_in(statement)
    bounded = {"where", "filter", "filter_by"} & set(names)
    few = set(SINGLE) & set(names)
    return Rows(name, bool(few), not bounded, few == {"limit"})


def writes_rows(value: Any) -> bool:
    """Whether a statement changes rows that are there."""
    text = text_in(value)
    return bool(CHANGES.match(text)) or bool({"update", "delete"} & set(names_in(value)))


class Loop(NamedTuple):
    """A loop that is open: what it goes over, None where that is not rows.

    `maybe` counts the conditions around its body; `again` is a `while`.
    """

    rows: Row | None
    place: Span
    maybe: int = 0
    again: bool = False


class Loops:
    """The loops around a statement, and what was said of them."""

    def __init__(self) -> None:
        self.open: list[Loop] = []
        self.traits: list[Trait] = []

    def around(self, row: Any = None) -> Loop | None:
        """Return the loop that a row is of, else the outermost one over many rows."""
        many = [one for one in self.open if one.rows is not None and one.rows.each]
        own = [one for one in many if isinstance(row, Row) and one.rows is row]
        return own[-1] if own else many[0] if many else None

    def turn(self) -> Loop | None:
        """Return the innermost `while` that is open."""
        return next((one for one in reversed(self.open) if one.again), None)

    def write(self, row: Any, vendors: tuple[str, ...], what: str = "loop-write") -> bool:
        """Say that rows are written one at a time, where a loop is around; return whether it is."""
        loop = self.around(row)
        if loop is None or loop.rows is None:
            return False
        what = "loop-save" if loop.rows is row else what
        self.traits.append(Trait(what, loop.rows.name, loop.place, "", vendors))
        return True

    def said(self) -> tuple[Trait, ...]:
        """Return what was said, each thing once."""
        return tuple(dict.fromkeys(self.traits))
