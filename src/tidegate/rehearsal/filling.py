"""Made-up rows for the scratch tables, so that steps which go by rows find some.

Every row is made of its number: keys and the columns that refer to them get the same value for the
same number, so references mostly hold. Triggers, foreign keys among them, are off meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.databases import pgschema
from tidegate.rehearsal.release import BOOKS, columns_of
from tidegate.rehearsal.session import SideSession
from tidegate.rehearsal.shapes import Column

_BY_TYPE = {
    "uuid": "md5(g::text)::uuid",
    "json": "'{}'",
    "jsonb": "'{}'",
    "bytea": "convert_to(g::text, 'UTF8')",
    "date": "current_date - (g % 3650)::int",
    "tsvector": "to_tsvector(g::text)",
    "smallint": "(g % 32767)",
    "integer": "g",
    "bigint": "g",
    "real": "g",
    "double precision": "g",
}
_BY_CATEGORY = {
    "B": "(g % 2 = 0)",
    "D": "now() - g * interval '1 minute'",
    "T": "g * interval '1 second'",
    "I": "('10.0.0.0'::inet + g)",
    "A": "'{}'",
    "R": "'empty'",
    "N": "g",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """How many rows a table has now, or why it got none."""

    table: str
    rows: int
    why: str = ""


def fill(session: SideSession, rows: int) -> list[Filled]:
    """Put `rows` rows into each table that takes them, and analyse the tables."""
    done = []
    for (schema, table), columns in columns_of(session).items():
        if table in BOOKS:
            continue
        done.append(_fill(session, schema, table, columns, rows))
    session.run("ANALYZE")
    return done


def _fill(
    session: SideSession, schema: str, table: str, columns: Sequence[Column], rows: int
) -> Filled:
    shown, name = pgschema.shown(schema, table), f'"{schema}"."{table}"'
    given = [(one, made(one)) for one in columns if not _left_out(one)]
    impossible = [one.name for one, value in given if value is None]
    if impossible:
        return Filled(shown, 0, f"no value can be made up for {', '.join(impossible)}")
    names = ", ".join(f'"{one.name}"' for one, _ in given)
    values = ", ".join(str(value) for _, value in given)
    insert = (
        f"INSERT INTO {name} ({names}) SELECT {values} FROM generate_series(1, {rows}) AS g "
        "ON CONFLICT DO NOTHING"
        if given
        else f"INSERT INTO {name} SELECT FROM generate_series(1, {rows})"
    )
    session.run("BEGIN")
    try:
        session.run(f"SET LOCAL session_replication_role = replica; {insert}")
        count = int(str(session.run(f"SELECT count(*) FROM {name}")[0][0]))
        session.run("COMMIT")
    except Exception as error:
        session.run("ROLLBACK")
        return Filled(shown, 0, (str(error).splitlines() or [""])[0])
    return Filled(shown, count)


def _left_out(column: Column) -> bool:
    """Whether the database's own default is better: keys count up from 1 by themselves."""
    return column.filled and column.type != "uuid"


def made(column: Column) -> str | None:
    """Return the SQL of a column's value for row `g`; None where none can be made up."""
    kind = column.type.lower()
    base = kind.split("(")[0]
    if column.category == "E":
        return "'" + column.label.replace("'", "''") + "'"
    if base.startswith(("numeric", "decimal")) and "(" in kind:
        digits = [int(one) for one in kind.partition("(")[2].rstrip(")").split(",")]
        whole = digits[0] - (digits[1] if len(digits) > 1 else 0)
        return f"(g % {10 ** max(0, min(whole, 9))})"
    if column.category == "S":
        length = column.length or 200
        return f"right('t' || lpad(g::text, 9, '0'), {length})"
    if base.startswith("time ") or base == "time":
        return "time '00:00' + g * interval '1 second'"
    if base in _BY_TYPE:
        return _BY_TYPE[base]
    if column.category in _BY_CATEGORY:
        return _BY_CATEGORY[column.category]
    return "NULL" if column.nullable else None
