"""What a table has that Alembic's own comparison passes over, read off the database's catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CAST = re.compile(
    r"::(?:character varying|double precision|timestamp with(?:out)? time zone|bit varying|"
    r'"[^"]+"|[\w.]+)(?:\(\d+(?:,\d+)?\))?(?:\[\])?'
)
_HERE = (
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = '{schema}' "
    "AND c.relkind IN ('r', 'p') "
)
COLUMNS = (
    "SELECT c.relname::text, a.attname::text, a.attgenerated::text, "
    "pg_get_expr(d.adbin, d.adrelid) " + _HERE + "JOIN pg_attribute a ON a.attrelid = c.oid "
    "AND a.attnum > 0 AND NOT a.attisdropped "
    "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
)
CONSTRAINTS = (
    "SELECT c.relname::text, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid), "
    "(SELECT string_agg(a.attname, ',' ORDER BY array_position(k.conkey, a.attnum)) "
    "FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)) " + _HERE
    + "JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('c', 'p')"
)  # fmt: skip


@dataclass(slots=True)
class Facts:
    """One table: defaults and computed expressions by column, CHECKs by name, the primary key."""

    defaults: dict[str, str] = field(default_factory=dict)
    computed: dict[str, str] = field(default_factory=dict)
    stored: dict[str, bool] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    checks: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)
    unnamed: list[str] = field(default_factory=list)
    key: tuple[str, tuple[str, ...]] = ("", ())


def postgresql(connection: Any, schema: str, hide: str = "") -> dict[str, Facts]:
    """Return the facts of every table of a schema; `hide` is a schema's name to leave out."""
    place = schema.replace("'", "''")

    def plain(text: str) -> str:
        return text.replace(f"{hide}.", "") if hide else text

    found: dict[str, Facts] = {}
    for table, column, generated, text in connection.exec_driver_sql(
        COLUMNS.format(schema=place)
    ).all():
        one = found.setdefault(table, Facts())
        one.columns.add(column)
        if generated:
            one.computed[column] = inner(plain(text))
            one.stored[column] = generated == "s"
        elif text is not None:
            one.defaults[column] = plain(text)
    for table, name, kind, text, columns in connection.exec_driver_sql(
        CONSTRAINTS.format(schema=place)
    ).all():
        one = found.setdefault(table, Facts())
        names = tuple((columns or "").split(",")) if columns else ()
        if kind == "p":
            one.key = (name, names)
        else:
            one.checks[name] = (_condition(plain(text)), frozenset(names))
    return found


def _condition(text: str) -> str:
    """Return what is inside `CHECK (...)`."""
    text = text.removesuffix(" NOT VALID").removesuffix(" NO INHERIT")
    return inner(text.removeprefix("CHECK (").removesuffix(")"))


def inner(text: str) -> str:
    """Return the expression without the brackets around it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_last(text):
        text = text[1:-1].strip()
    return text


def sqlite(inspector: Any) -> dict[str, Facts]:
    """Return the facts of every table of an SQLite database."""
    found = {}
    for table in inspector.get_table_names():
        one = found[table] = Facts()
        for column in inspector.get_columns(table):
            name = column["name"]
            one.columns.add(name)
            if column.get("computed"):
                one.computed[name] = inner(str(column["computed"]["sqltext"]))
                one.stored[name] = bool(column["computed"].get("persisted"))
            elif column.get("default") is not None:
                one.defaults[name] = str(column["default"])
        for check in inspector.get_check_constraints(table):
            words = frozenset(re.findall(r"\w+", check["sqltext"])) & one.columns
            if check["name"]:
                one.checks[str(check["name"])] = (check["sqltext"], words)
            else:
                one.unnamed.append(check["sqltext"])
        key = inspector.get_pk_constraint(table)
        one.key = (key.get("name") or "", tuple(key.get("constrained_columns") or ()))
    return found


def same(one: str | None, other: str | None) -> bool:
    """Whether two expressions are the same but for casts, brackets around them, and spaces."""
    return one == other or (one is not None and other is not None and bare(one) == bare(other))


def bare(text: str) -> str:
    """Return the expression without casts, spaces and the brackets around it."""
    text = CAST.sub("", text)
    text = "".join(re.split(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", text.strip()))
    text = inner(text)
    return re.sub(r"\((\w+)\)", r"\1", text)


def _closes_last(text: str) -> bool:
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return at == len(text) - 1
    return False


def unmatched(
    have: Mapping[str, tuple[str, frozenset[str]]], want: Mapping[str, tuple[str, frozenset[str]]]
) -> tuple[list[str], list[str]]:
    """Return the names of CHECKs that are there for nothing, and of those that are missing.

    The same condition under another name is the same CHECK.
    """
    gone = [name for name in have if name not in want or not same(have[name][0], want[name][0])]
    come = [name for name in want if name not in have or not same(have[name][0], want[name][0])]
    for name in list(come):
        twin = next((old for old in gone if same(have[old][0], want[name][0])), None)
        if twin is not None:
            gone.remove(twin)
            come.remove(name)
    return gone, come


Reader = Callable[[], Mapping[str, Facts]]
Pairs = Sequence[tuple[Any, Facts, Facts]]  # the model's table, what is there, what should be
