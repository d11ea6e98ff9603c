"""The running release on the new schema: its statements, executed and taken back after each step.

What a statement needs is learned at the deployed level first: one that fails there for a reason
of its own (a CHECK that the made-up values don't meet) proves nothing later, and is replaced by a
weaker form that does work there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tidegate.databases import pgschema
from tidegate.rehearsal.session import AppSession, SideSession


@dataclass(frozen=True, slots=True)
class Shape:
    """What a release knows of one table: the columns that it reads, and those that it writes."""

    model: str
    schema: str
    table: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


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


_COLUMNS = (
    "SELECT n.nspname::text, c.relname::text, a.attname::text, "
    "format_type(b.oid, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END), "
    "CASE WHEN b.typtype = 'e' THEN 'E' ELSE b.typcategory::text END, "
    "(NOT a.attnotnull)::text, "
    "CASE WHEN b.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 "
    "ELSE 0 END, coalesce((SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = b.oid "
    "ORDER BY e.enumsortorder DESC LIMIT 1), ''), "
    "(a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '')::text "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid "
    "JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND "
    "NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', "
    "'tidegate_rehearsal') AND n.nspname NOT LIKE 'pg_temp%' ORDER BY c.oid, a.attnum"
)
BOOKS = ("django_migrations", "alembic_version", "tidegate_run", "tidegate_step")
_BIG = {"smallint": "32767", "integer": "2147483647", "bigint": "9223372036854775807"}


class Release:
    """The statements of the deployed release, and which of them the schema still takes."""

    def __init__(self, session: AppSession | SideSession, shapes: Sequence[Shape]) -> None:
        self._session: AppSession | SideSession = session
        self._broken: set[Statement] = set()
        columns = columns_of(session)
        self.models = bool(shapes)
        shapes = shapes or [_reflected(key, found) for key, found in columns.items()]
        self.statements: list[Statement] = []
        session.aside(lambda: self._learn(shapes, columns))

    def _learn(self, shapes: Sequence[Shape], columns: dict[tuple[str, str], list[Column]]) -> None:
        """Keep the first form of each statement that works at the deployed level."""
        every: list[list[Statement]] = []
        for shape in shapes:
            known = _find(shape, columns)
            if known is None or shape.table in BOOKS:
                continue
            named = {one.name: one for one in known}
            every += [list(forms) for forms in _statements(shape, named, self._session.vendor)]
        good: dict[int, Statement] = {}
        for depth in range(max(map(len, every), default=0)):
            left = [
                (number, forms[depth])
                for number, forms in enumerate(every)
                if number not in good and depth < len(forms)
            ]
            failed = self._tried([one for _, one in left])
            good.update({n: one for place, (n, one) in enumerate(left) if place not in failed})
        self.statements = [good[number] for number in sorted(good)]

    def _tried(self, statements: Sequence[Statement]) -> dict[int, str]:
        """Run each and take it back; return the errors by place."""
        if self._session.vendor != "postgresql":
            errors = ((place, self._try(one)) for place, one in enumerate(statements))
            return {place: error for place, error in errors if error}
        if not statements:
            return {}
        words = ", ".join(_quoted(one.sql) for one in statements)
        modes = ", ".join(_quoted(one.mode) for one in statements)
        rows = self._session.run(
            f"SELECT place, error FROM tidegate_rehearsal.tried(ARRAY[{words}], ARRAY[{modes}])"
        )
        return {int(str(place)) - 1: str(error) for place, error in rows}

    def _try(self, one: Statement) -> str:
        """Run it in a savepoint and take it back; return the error, or an empty string."""
        run = self._session.run
        run("SAVEPOINT tidegate_probe")
        try:
            run(one.sql)
        except Exception as error:
            return (str(error).strip().splitlines() or [type(error).__name__])[0]
        finally:
            run("ROLLBACK TO SAVEPOINT tidegate_probe")
        return ""

    def check(self, session: AppSession, touched: set[str] | None) -> list[dict[str, str]]:
        """Run the statements on the tables touched (None: all); return those that fail now.

        One that failed after an earlier step isn't told again.
        """
        self._session = session
        found: list[dict[str, str]] = []

        def work() -> None:
            asked = [one for one in self.statements if one not in self._broken
                     and (touched is None or one.table in touched)]  # fmt: skip
            for place, error in sorted(self._tried(asked).items()):
                one = asked[place]
                told = any(b.table == one.table and b.word == one.word for b in self._broken)
                self._broken.add(one)
                if not told:
                    found.append({"model": one.model, "table": one.table, "word": one.word,
                                  "sql": one.sql, "error": error})  # fmt: skip

        session.aside(work)
        return found


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def columns_of(session: AppSession | SideSession) -> dict[tuple[str, str], list[Column]]:
    """Return each table's columns as they stand now."""
    return dict(_postgres(session) if session.vendor == "postgresql" else _sqlite(session))


def _find(shape: Shape, columns: dict[tuple[str, str], list[Column]]) -> list[Column] | None:
    schema, table = shape.schema, shape.table
    if not schema and '"."' in table:  # Django's way to name a schema
        schema, table = table.split('"."')
    if schema:
        return columns.get((schema, table))
    return next((found for (_, name), found in columns.items() if name == table), None)


def _reflected(key: tuple[str, str], found: Sequence[Column]) -> Shape:
    schema, table = key
    return Shape(
        pgschema.shown(schema, table) if schema else table,
        schema,
        table,
        tuple(one.name for one in found),
        tuple(one.name for one in found if not one.filled),
    )


def _statements(shape: Shape, columns: dict[str, Column], vendor: str) -> Iterator[list[Statement]]:
    """Yield each statement, with weaker forms of it behind."""
    name = f'"{shape.table}"' if not shape.schema else f'"{shape.schema}"."{shape.table}"'
    shown = pgschema.shown(shape.schema or "public", shape.table.replace('"."', "."))
    writes = [columns[one] for one in shape.writes if one in columns]

    def make(word: str, sql: str, mode: str = "") -> Statement:
        return Statement(shape.model, shown, word, sql, mode)

    reads = ", ".join(f'"{one}"' for one in shape.reads)
    yield [make("SELECT", f"SELECT {reads} FROM {name} LIMIT 1")]
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


def _postgres(session: AppSession | SideSession) -> Iterator[tuple[tuple[str, str], list[Column]]]:
    tables: dict[tuple[str, str], list[Column]] = {}
    for schema, table, name, kind, category, nullable, length, label, filled in session.run(
        _COLUMNS
    ):
        tables.setdefault((str(schema), str(table)), []).append(
            Column(
                str(name),
                str(kind),
                str(category),
                str(nullable) == "true",
                int(str(length)),
                str(label),
                str(filled) == "true",
            )
        )
    yield from tables.items()


def _sqlite(session: AppSession | SideSession) -> Iterator[tuple[tuple[str, str], list[Column]]]:
    names = session.run(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    for (table,) in names:
        rows = session.run(f"SELECT name, type, \"notnull\", dflt_value, pk FROM "
                           f"pragma_table_info('{table}')")  # fmt: skip
        yield ("", str(table)), [
            Column(str(name), str(kind).lower(), "", not notnull and not pk, _length(str(kind)),
                   "", default is not None or bool(pk and "int" in str(kind).lower()))
            for name, kind, notnull, default, pk in rows
        ]  # fmt: skip


def _length(kind: str) -> int:
    digits = kind.partition("(")[2].partition(")")[0]
    return int(digits) if digits.isdigit() else 0
