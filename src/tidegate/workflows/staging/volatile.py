"""A column whose default is another one for each row: added without, then filled in batches.

The default is set for new rows at once, so that what the previous release writes has a value too.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from tidegate.model.finding import Finding
from tidegate.model.operation import AddColumn, AddConstraint
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.check.fixes_django import called
from tidegate.workflows.staging import (
    alembic_files,
    alembic_rows,
    alembic_writing,
    django_files,
    django_rows,
    django_writing,
    unique,
)
from tidegate.workflows.staging.batches import Batched
from tidegate.workflows.staging.common import beside, of_finding, short
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined, Stage, moved, quoted
from tidegate.workflows.staging.unique import Unique

WHAT = "added without its default, which old rows get in batches"
UUID = "gen_random_uuid()"
CALLABLES = {"uuid.uuid4": UUID, "uuid4": UUID}


class Filled(NamedTuple):
    """A column that is added empty and filled with `value`, which is SQL."""

    table: str
    column: str
    value: str
    key: str

    def alter(self, said: str) -> str:
        """Return an ALTER of the column."""
        return f"ALTER TABLE {quoted(self.table)} ALTER COLUMN {quoted(self.column)} {said}"

    def fill(self) -> Batched:
        """Fill what is empty."""
        column = quoted(self.column)
        return Batched(self.table, f"{column} = {self.value}", f"{column} IS NULL", self.key)

    def required(self) -> tuple[tuple[str, str], str, list[tuple[str, str]]]:
        """Return a check with its way back, its validation, and what it is taken for."""
        alter = f"ALTER TABLE {quoted(self.table)}"
        name = quoted(short(f"{self.table.rpartition('.')[2]}_{self.column}_is_set"))
        check = f"{alter} ADD CONSTRAINT {name} CHECK ({quoted(self.column)} IS NOT NULL) NOT VALID"
        drop = f"{alter} DROP CONSTRAINT {name}"
        taken = [(self.alter("SET NOT NULL"), self.alter("DROP NOT NULL")), (drop, check)]
        return (check, drop), f"{alter} VALIDATE CONSTRAINT {name}", taken


def _of(ats: Sequence[At], one: Finding, value: str) -> tuple[At, AddColumn, Filled]:
    at = of_finding(ats, one, AddColumn)
    change = at.change
    assert isinstance(change, AddColumn)
    key = at.key(change.table)
    if not key:
        raise Declined(f"{change.table} has no primary key of one column to go over in batches")
    return at, change, Filled(change.table, change.column.name, value, key)


def or_unique(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A unique field that is added: each row gets a value of its own first, or holds none."""
    at = of_finding(ats, one, AddConstraint)
    if called(django_writing.call_of(source, at)) != "AddField":
        return unique.django(source, one, ats)
    column = next((e.column for e in beside(ats, at) if isinstance(e, AddColumn)), None)
    if column is not None and (column.code_default or column.default == "volatile"):
        return django(source, one, ats)
    return unique.added(source, at, ats)


def django(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A field with a uuid of each row's own, from the database or from Python."""
    at, change, made = _of(ats, one, UUID)
    call, column = django_writing.call_of(source, at), change.column
    field = django_writing.argument(call, 2, "field")
    if called(call) != "AddField" or not isinstance(field, ast.Call):
        raise Declined("it is not an AddField with its field in place")
    words = {word.arg: word.value for word in field.keywords}
    own = words.get("db_default", words.get("default"))
    said = source.of(own) if own is not None else ""
    if "db_default" not in words and column.code_default not in CALLABLES:
        name = column.name
        raise Declined(
            f"what {said} gives only Python can tell; add {name} with null=True and without its "
            f"default, give each row {said}() in a migration with atomic = False, then make it "
            "unique, and NOT NULL in the next release (the files to copy: tidegate rule "
            "unique-with-one-default)"
        )
    if column.type != "uuid":
        raise Declined("only a UUIDField's default is one that the database can fill in by itself")
    if not said.endswith("RandomUUID()") and column.code_default not in CALLABLES:
        raise Declined(f"what {said or 'the default'} gives can't be said in SQL")
    if any(not isinstance(each, AddConstraint) for each in beside(ats, at)) or column.reference:
        raise Declined("the field comes with more than its column")
    table, name = quoted(made.table), quoted(made.column)
    run = django_writing.sql
    add = [f"ALTER TABLE {table} ADD COLUMN {name} uuid", made.alter(f"SET DEFAULT {UUID}")]
    drop = [f"ALTER TABLE {table} DROP COLUMN {name}"]
    state = [moved(source, call)]
    stages = [
        Stage("", (django_writing.apart([run(add, drop)], state),)),
        django_rows.filling("fill", f"fill_{made.column}", made.fill()),
    ]
    if column.unique:
        constraint = unique.inline_name(made.table, made.column)
        stages += Unique(made.table, constraint, (made.column,)).django([])
    if not column.nullable:
        check, valid, taken = made.required()
        stages += [
            Stage("not_null_check", (run([check[0]], [check[1]]),)),
            Stage("not_null_valid", (run([valid], []),), alone=True),
            Stage("not_null", (run([up for up, _ in taken], [down for _, down in taken[::-1]]),)),
        ]
    return django_files.divide(source, call, stages, WHAT)


def alembic(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A column whose server default is computed for each row."""
    number, node, call = alembic_writing.statement(source, of_finding(ats, one, AddColumn))
    column = call.args[1] if len(call.args) > 1 else None
    if alembic_files.called(node) != "add_column" or not isinstance(column, ast.Call):
        raise Declined("it is not an add_column with its column in place")
    alembic_writing.refuse_schema(call)
    words = {word.arg: word for word in column.keywords if word.arg}
    default = words.get("server_default")
    value = _value(default.value) if default is not None else ""
    if not value or default is None:
        raise Declined("its server_default is neither text() nor a call of func")
    at, change, made = _of(ats, one, value)
    if beside(ats, at):
        raise Declined("the column comes with a constraint or an index: add that by itself")
    places = [source.end(each) for each in (*column.args, *(w.value for w in column.keywords))]
    begin = max(place for place in places if place < source.start(default.value))
    edits = [(begin, source.end(default.value), "")]
    if not change.column.nullable:
        null = words["nullable"].value
        edits.append((source.start(null), source.end(null), "True"))
    moved(source, node)
    bare = django_writing.varied(source, call, sorted(edits))
    run, back = alembic_writing.execute, alembic_files.backward_of(source, number)
    first = (bare, run(made.alter(f"SET DEFAULT {value}")))
    stages = [
        Stage("", first, (back,) if back else ()),
        alembic_rows.filling(f"fill_{made.column}", made.fill()),
    ]
    if not change.column.nullable:
        check, valid, taken = made.required()
        stages += [
            Stage("not_null_check", (run(check[0]),), (run(check[1]),)),
            Stage("not_null_valid", (run(valid),)),
            Stage("not_null", tuple(run(up) for up, _ in taken),
                  tuple(run(down) for _, down in taken[::-1])),
        ]  # fmt: skip
    return alembic_files.divide(source, number, stages, WHAT)


def _value(node: ast.expr) -> str:
    """Return the SQL of `text("...")` or `func.name()`."""
    if not isinstance(node, ast.Call):
        return ""
    name = ast.unparse(node.func).split(".")
    if name[-1] == "text" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
        return str(node.args[0].value)
    if "func" in name[:-1] and not node.args and not node.keywords:
        return f"{name[-1]}()"
    return ""
