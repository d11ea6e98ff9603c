"""What a release knows of a table, and the statements that are made up of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.databases import pgschema

_BIG = {"smallint": "32767", "integer": "2147483647", "bigint": "9223372036854775807"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a release knows of one table: the columns that it reads, and those that it writes.

    One that is no table, a view, is only read.
    """

    model: str
    schema: str
    table: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    is_view: bool = False

    @classmethod
    def of(cls, reads: Sequence[str], writes: Sequence[str], **more: Any) -> Shape:
        """Read it off an event."""
        return cls(reads=tuple(reads), writes=tuple(writes), **more)


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it stands at the deployed level."""

    name: str
    type: str
    category: str
    nullable: bool
    length: int
    label: str  # of an enum: the last
    filled: bool  # by the database, when left out


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the release. `mode` says what runs before it: `replica` stops triggers."""

    model: str
    table: str
    word: str
    sql: str
    mode: str = ""


def statements(
    shape: Shape, columns: dict[str, Column], vendor: str, schema: str = ""
) -> Iterator[list[Statement]]:
    """Yield each statement, with weaker forms of it behind; `schema` is where the table lies."""
    name = f'"{shape.table}"' if not shape.schema else f'"{shape.schema}"."{shape.table}"'
    shown = pgschema.shown(shape.schema or schema or "public", shape.table.replace('"."', "."))
    writes = [columns[one] for one in shape.writes if one in columns]

    def make(word: str, sql: str, mode: str = "") -> Statement:
        return Statement(shape.model, shown, word, sql, mode)

    reads = ", ".join(f'"{one}"' for one in shape.reads)
    yield [make("SELECT", f"SELECT {reads} FROM {name} LIMIT 1")]
    if shape.is_view:
        return
    listed = ", ".join(f'"{one.name}"' for one in writes)
    structural = make("INSERT", f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {name} "
                                "WHERE 1 = 0")  # fmt: skip
    for fill in (_narrow, _wide) if writes else ():
        values = ", ".join(fill(one) for one in writes)
        sql = f"INSERT INTO {name} ({listed}) VALUES ({values})"
        forms = [make("INSERT", sql)]
        if vendor == "postgresql":
            forms.append(make("INSERT", sql, "replica"))
        yield [*forms, structural]
    if not writes:
        yield [make("INSERT", f"INSERT INTO {name} DEFAULT VALUES")]
    sets = ", ".join(f'"{one.name}" = "{one.name}"' for one in writes)
    if sets:
        yield [make("UPDATE", f"UPDATE {name} SET {sets} WHERE 1 = 0")]
    yield [make("DELETE", f"DELETE FROM {name} WHERE 1 = 0")]


def _narrow(column: Column) -> str:
    """Return the least that the column takes: NULL where it may be."""
    return "NULL" if column.nullable else _value(column, wide=False)


def _wide(column: Column) -> str:
    """Return the most that the column takes."""
    return _value(column, wide=True)


def _value(column: Column, wide: bool) -> str:
    kind = column.type.lower()
    base = kind.split("(")[0]
    if column.category == "E":
        return "'" + column.label.replace("'", "''") + "'"
    if column.category == "A":
        return "'{}'"
    if base in _BIG:
        return _BIG[base] if wide else "1"
    if base.startswith(("numeric", "decimal")):
        return _number(kind) if wide else "1"
    if column.category == "S" or "char" in base or "text" in base:
        return "'" + "x" * (min(column.length, 4000) or 8 if wide else 1) + "'"
    made: dict[str, Callable[[], str]] = {
        "B": lambda: "true", "N": lambda: "1", "D": lambda: "'2026-01-02 03:04:05'",
        "T": lambda: "'1 day'", "I": lambda: "'192.0.2.1'", "R": lambda: "'empty'",
    }  # fmt: skip
    if column.category == "D" and base.startswith("time "):
        return "'03:04:05'"
    if column.category in made:
        return made[column.category]()
    return {
        "uuid": "'6f1d2b5e-0000-4000-8000-000000000001'",
        "json": "'{}'",
        "jsonb": "'{}'",
        "bytea": "'x'",
        "tsvector": "'x'",
        "date": "'2026-01-02'",
        "datetime": "'2026-01-02 03:04:05'",
        "real": "1",
        "boolean": "1",
        "bool": "1",
    }.get(base, "'1'")


def _number(kind: str) -> str:
    digits = kind.partition("(")[2].rstrip(")").split(",")
    if not digits[0].strip().isdigit():
        return "1"
    scale = int(digits[1]) if len(digits) > 1 else 0
    whole = "9" * max(0, int(digits[0]) - scale) or "0"
    return f"{whole}.{'9' * scale}" if scale else whole
