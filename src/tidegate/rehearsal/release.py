"""The running release on the new schema: its statements, executed and taken back after each step.

What a statement needs is learned at the deployed level first: one that fails there for a reason
of its own (a CHECK that the made-up values don't meet) proves nothing later, and is replaced by a
weaker form that does work there.

A statement that a step breaks is told with that step, and mended as its author would: a column that
is gone is left out, one that has to be given is given. What a later step does to it is told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tidegate.databases import pgschema
from tidegate.rehearsal.session import AppSession, SideSession
from tidegate.rehearsal.shapes import Column, Shape, Statement, statements

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
_VIEWS = (
    "SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_attribute a "
    "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('v', 'm') AND n.nspname NOT IN "
    "('pg_catalog', 'information_schema', 'tidegate_rehearsal') ORDER BY c.oid, a.attnum"
)
BOOKS = ("django_migrations", "alembic_version", "tidegate_run", "tidegate_step")


class Release:
    """The statements of the deployed release, and which of them the schema still takes."""

    def __init__(self, session: AppSession | SideSession, shapes: Sequence[Shape]) -> None:
        self._session: AppSession | SideSession = session
        self._path = _path(session)
        columns = columns_of(session)
        self.models = bool(shapes)
        shapes = shapes or [*(_reflected(key, found) for key, found in columns.items()),
                            *_views(session)]  # fmt: skip
        self.unnamed = _unnamed(shapes, columns, self._path)
        self._shapes = {one.model: one for one in shapes}
        self._sent = {one.model: frozenset(one.writes) for one in shapes}
        self.statements: list[Statement] = []

        def learn() -> None:
            self.statements = self._working(shapes, columns)

        session.aside(learn)

    def _working(
        self, shapes: Sequence[Shape], columns: dict[tuple[str, str], list[Column]]
    ) -> list[Statement]:
        """Return the first form of each statement that works on the schema as it is now."""
        every: list[list[Statement]] = []
        vendor = self._session.vendor
        for shape in shapes:
            schema = _schema_of(shape, columns, self._path)
            known = columns.get((schema, shape.table.rpartition('"."')[2]))
            if shape.table in BOOKS:
                continue
            if known is None:  # a view, perhaps: what can't be read at all falls out below
                shape = replace(shape, is_view=True)
            named = {one.name: one for one in known or ()}
            if known is not None:  # what the schema lacks fails already
                shape = replace(shape, reads=tuple(one for one in shape.reads if one in named))
            every += [list(forms) for forms in statements(shape, named, vendor, schema)]
        good: dict[int, Statement] = {}
        for depth in range(max(map(len, every), default=0)):
            left = [
                (number, forms[depth])
                for number, forms in enumerate(every)
                if number not in good and depth < len(forms)
            ]
            failed = self._tried([one for _, one in left])
            good.update({n: one for place, (n, one) in enumerate(left) if place not in failed})
        return [good[number] for number in sorted(good)]

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
        """Run the statements on the tables touched (None: all); return those that fail now."""
        self._session = session
        found: dict[tuple[str, str], dict[str, str]] = {}

        def work() -> None:
            asked = [one for one in self.statements if touched is None or one.table in touched]
            broken = [(asked[place], error) for place, error in sorted(self._tried(asked).items())]
            ours = self._mend({one for one, _ in broken}) if broken else set()
            for one, error in broken:
                if one.model not in ours:
                    found.setdefault((one.table, one.word), {
                        "model": one.model, "table": one.table, "word": one.word, "sql": one.sql,
                        "error": error})  # fmt: skip

        session.aside(work)
        return list(found.values())

    def _mend(self, broken: set[Statement]) -> set[str]:
        """Put what works on the schema as it is now in the place of statements that don't.

        Return the models that only lack what an earlier mending has given them.
        """
        columns, ours = columns_of(self._session), set()
        kinds = {(one.model, one.word) for one in broken}
        models = sorted({one.model for one in broken})
        for model in models:
            shape = self._shapes[model]
            key = (_schema_of(shape, columns, self._path), shape.table.rpartition('"."')[2])
            if key not in columns:
                continue
            there = {one.name for one in columns[key]}
            if any(one not in there for one in shape.writes if one not in self._sent[model]):
                ours.add(model)
            self._shapes[model] = _mended(shape, columns[key])
        now = self._working([self._shapes[model] for model in models], columns)
        kept = [one for one in self.statements if (one.model, one.word) not in kinds]
        self.statements = [*kept, *(one for one in now if (one.model, one.word) in kinds)]
        return ours


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def columns_of(session: AppSession | SideSession) -> dict[tuple[str, str], list[Column]]:
    """Return each table's columns as they stand now."""
    return dict(_postgres(session) if session.vendor == "postgresql" else _sqlite(session))


def _path(session: AppSession | SideSession) -> list[str]:
    """Return the schemas in which a name without one is looked for."""
    if session.vendor != "postgresql":
        return [""]
    return [str(row[0]) for row in session.run("SELECT unnest(current_schemas(false))")]


def _schema_of(
    shape: Shape, columns: dict[tuple[str, str], list[Column]], path: Sequence[str]
) -> str:
    """Return the schema that a table lies in."""
    if shape.schema or '"."' in shape.table:  # Django's way to name a schema
        return shape.schema or shape.table.partition('"."')[0]
    return next((one for one in path if (one, shape.table) in columns), path[0] if path else "")


def _unnamed(
    shapes: Sequence[Shape], columns: dict[tuple[str, str], list[Column]], path: Sequence[str]
) -> list[str]:
    """Return the tables that no model names: nothing of theirs is tried."""
    named = {(_schema_of(one, columns, path), one.table.rpartition('"."')[2]) for one in shapes}
    return sorted(pgschema.shown(*key) if key[0] else key[1]
                  for key in columns if key not in named and key[1] not in BOOKS)  # fmt: skip


def _mended(shape: Shape, columns: Sequence[Column]) -> Shape:
    """Return what a release reads and writes whose author has seen the columns as they are now."""
    there = {one.name: one for one in columns}
    asked = [one.name for one in columns
             if not (one.nullable or one.filled or one.name in shape.writes)]  # fmt: skip
    return replace(
        shape,
        reads=tuple(one for one in shape.reads if one in there),
        writes=(*(one for one in shape.writes if one in there), *asked),
    )


def _reflected(key: tuple[str, str], found: Sequence[Column]) -> Shape:
    schema, table = key
    return Shape(
        pgschema.shown(schema, table) if schema else table,
        schema,
        table,
        tuple(one.name for one in found),
        tuple(one.name for one in found if not one.filled),
    )


def _views(session: AppSession | SideSession) -> list[Shape]:
    """Return what is read through views."""
    if session.vendor != "postgresql":
        return []
    found: dict[tuple[str, str], list[str]] = {}
    for schema, view, column in session.run(_VIEWS):
        found.setdefault((str(schema), str(view)), []).append(str(column))
    return [
        Shape(pgschema.shown(*key), *key, tuple(names), (), is_view=True)
        for key, names in found.items()
    ]


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
