"""Staged rewrites of Django migrations, for findings that one file can't be rid of."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from tidegate.model.finding import Finding
from tidegate.model.operation import (
    AddConstraint,
    AddIndex,
    AlterColumn,
    Change,
    Code,
    Data,
    DropIndex,
)
from tidegate.reading.migrations.django_fields_replay import AGAIN
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.check.fixes_django import NAMES, called
from tidegate.workflows.staging import batches
from tidegate.workflows.staging.common import beside, later, of_finding, short
from tidegate.workflows.staging.django_files import divide
from tidegate.workflows.staging.django_renames import rename_column, rename_table
from tidegate.workflows.staging.django_rows import data, filling
from tidegate.workflows.staging.django_writing import (
    POSTGRES,
    altering,
    apart,
    argument,
    build,
    call_of,
    field_with,
    own_name,
    sql,
    varied,
)
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.retype import Retyped
from tidegate.workflows.staging.retype import retyped as retyping_of
from tidegate.workflows.staging.saying import constant
from tidegate.workflows.staging.stage import Declined, Stage, literal, moved, quoted

Fixer = Callable[[Source, Finding, Sequence[At]], Fixed]


def not_null(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A check is added NOT VALID, validated, taken for the NOT NULL, and dropped."""
    at = of_finding(ats, one, AlterColumn)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, AlterColumn)
    more = [one for one in beside(ats, at) if not _is_again(one, change)]
    if change.type is not None or change.default is not None or more:
        raise Declined("more than NULL changes: give that a migration of its own")
    field = argument(call, 2, "field")
    table, column = quoted(change.table), quoted(change.column)
    name = quoted(short(f"{change.table.rpartition('.')[2]}_{change.column}_is_set"))
    check = f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"
    drop = f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    set_null = f"ALTER TABLE {table} ALTER COLUMN {column} "
    stages = [
        Stage("not_null_check", (sql([check], [drop]),)),
        *_filled(source, change, field, at),
        Stage("not_null_valid", (
            sql([f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"], []),
        )),
        Stage("not_null", (apart(
            [sql([set_null + "SET NOT NULL"], [set_null + "DROP NOT NULL"]), sql([drop], [check])],
            [moved(source, call)],
        ),)),
    ]  # fmt: skip
    return divide(
        source, call, stages, "NOT NULL through a check, so that no lock waits for a scan"
    )


def _is_again(change: Change, nulls: AlterColumn) -> bool:
    """Whether a foreign key would be dropped and added only since its column changes otherwise."""
    if not isinstance(change, AddConstraint) or change.why != AGAIN:
        return False
    was = nulls.before.reference if nulls.before is not None else None
    now = change.constraint.reference
    return was is not None and now is not None and was.table == now.table


def _filled(source: Source, change: AlterColumn, field: ast.expr | None, at: At) -> list[Stage]:
    """Return the stage that gives old rows the default, where there is one."""
    words = field.keywords if isinstance(field, ast.Call) else ()
    default = next((word.value for word in words if word.arg == "default"), None)
    if default is None:
        return []
    if not isinstance(default, ast.Constant):
        raise Declined(f"the default {ast.unparse(default)} is not a plain value for old rows")
    key = at.key(change.table)
    if not key:
        raise Declined(f"{change.table} has no primary key of one column to go over in batches")
    value = constant(default.value)
    column = quoted(change.column)
    name = f"fill_{change.column}"
    made = batches.Batched(change.table, f"{column} = {value}", f"{column} IS NULL", key)
    return [filling("fill", name, made)]


def foreign_key(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The constraint is added NOT VALID, and validated by the next migration."""
    at = of_finding(ats, one, AddConstraint)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, AddConstraint)
    key = change.constraint
    if called(call) != "AlterField" or key.reference is None or len(key.reference.columns) != 1:
        raise Declined("SQL in a string is left to its author")
    column, to = key.columns[0], key.reference
    suffix = f"_fk_{to.table.rpartition('.')[2]}_{to.columns[0]}"
    name = quoted(own_name(change.table, column, suffix))
    table = quoted(change.table)
    add = (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({quoted(column)}) "
        f"REFERENCES {quoted(to.table)} ({quoted(to.columns[0])}) "
        "DEFERRABLE INITIALLY DEFERRED NOT VALID"
    )
    nulls = next((one for one in beside(ats, at) if isinstance(one, AlterColumn)), None)
    if nulls is not None and nulls.nullable is False and _is_again(change, nulls):
        return not_null(source, one, ats)  # of which the foreign key hears nothing
    before = at.column(change.table, column)
    was_free = before is not None and before.reference is not None and not before.reference.enforced
    first = (
        ()
        if was_free and not beside(ats, at)
        else (field_with(source, call, "db_constraint", "False"),)
    )
    drop = f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    stages = [
        Stage("foreign_key", (*first, apart([sql([add], [drop])], [moved(source, call)]))),
        Stage("valid", (sql([f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"], []),), alone=True),
    ]
    return divide(
        source, call, stages, "the foreign key NOT VALID, validated by the next migration"
    )


def check(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A check is added NOT VALID, and validated by the next migration."""
    at = of_finding(ats, one, AddConstraint)
    call = call_of(source, at)
    change = at.change
    assert isinstance(change, AddConstraint)
    model = argument(call, 0, "model_name")
    if called(call) != "AddConstraint" or model is None or not change.constraint.name:
        raise Declined("SQL in a string is left to its author")
    moved(source, call)
    new = varied(source, call, [(source.start(call.func), source.end(call.func),
                                 "AddConstraintNotValid")])  # fmt: skip
    name = literal(change.constraint.name)
    valid = f"ValidateConstraint(model_name={source.of(model)}, name={name})"
    stages = [
        Stage("check", (new,), imports=(POSTGRES + "AddConstraintNotValid",)),
        Stage("valid", (valid,), imports=(POSTGRES + "ValidateConstraint",), alone=True),
    ]
    return divide(source, call, stages, "the check NOT VALID, validated by the next migration")


def index(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """An index is built or dropped CONCURRENTLY, in a migration of its own."""
    at = of_finding(ats, one, AddIndex, DropIndex)
    call = call_of(source, at)
    new = NAMES.get(called(call), "")
    if not new:
        raise Declined("SQL in a string is left to its author")
    moved(source, call)
    code = varied(source, call, [(source.start(call.func), source.end(call.func), new)])
    stage = Stage("concurrently", (code,), atomic=False, alone=True, imports=(POSTGRES + new,))
    return divide(source, call, [stage], f"{new} in a migration of its own")


def implicit_index(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The field comes without its index, which a migration of its own builds CONCURRENTLY."""
    at = of_finding(ats, one, AddIndex)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, AddIndex)
    if called(call) not in ("AddField", "AlterField"):
        raise Declined("it is neither AddField nor AlterField")
    column = change.made.columns[0]
    found = next((each.column for each in beside(ats, at) if hasattr(each, "column")
                  and not isinstance(each.column, str)), None)  # fmt: skip
    found = found or at.column(change.table, column)
    bare = field_with(source, call, "db_index", "False")
    kept = altering(source, call)
    built = [build(change.table, column, "", "")]
    kind = found.type if found is not None else ""
    if kind.startswith(("varchar", "text")):
        opclass = "varchar_pattern_ops" if kind.startswith("varchar") else "text_pattern_ops"
        built.append(build(change.table, column, "_like", opclass))
    stages = [Stage("", (bare,))]
    for number, (create, drop) in enumerate(built):
        state = [kept] if number == len(built) - 1 else []
        operation = apart([sql([create], [drop])], state) if state else sql([create], [drop])
        suffix = f"{column}_index" if not number else f"{column}_like"
        stages.append(Stage(suffix, (operation,), atomic=False, alone=True))
    return divide(source, call, stages, "its index CONCURRENTLY, in a migration of its own")


def retype(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A copy of the column in the new type takes its place, without a rewrite of the table."""
    at = of_finding(ats, one, AlterColumn)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, AlterColumn)
    if called(call) != "AlterField" or beside(ats, at):
        raise Declined("more than the type changes: give that a migration of its own")
    if change.nullable is not None or change.default is not None:
        raise Declined("more than the type changes: give that a migration of its own")
    later(ats, at, change.table, change.column)
    stages = retyping(retyping_of(change, at), moved(source, call))
    return divide(source, call, stages, "a copy in the new type takes the column's place")


def retyping(made: Retyped, state: str) -> list[Stage]:
    """Return the stages of a column's new type."""
    constant = f"SYNC_{made.column}".upper()
    code = f'{constant} = """\\\n{made.function()}\n"""'
    undo = [*made.drop(), made.alter(f"DROP COLUMN {quoted(made.copy)}")]
    name = f"fill_{made.copy}"
    stages = [
        Stage(f"{made.copy}", (sql([made.add(), constant, made.trigger()], undo),), code=code),
        filling(name, name, made.fill()),
    ]
    for index_name, create, drop in made.built():
        stages.append(Stage(index_name, (sql([create], [drop]),), atomic=False, alone=True))
    if not made.nullable:
        stages.append(Stage(f"{made.copy}_valid", (sql([made.validate()], []),), alone=True))
    back = [*made.reopened(), constant, made.trigger()]
    swap = apart([sql(made.swap(), back)], [state])
    return [*stages, Stage(f"swap_{made.column}", (swap,), code=code)]


def apart_from(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The operation goes into a migration of its own, whose transaction holds no other lock."""
    here = (one.place.line, one.place.column)
    at = next((each for each in ats if each.operation.span[:2] == here), None)
    if at is None:
        raise Declined("it is not written as a plain operation")
    call = call_of(source, at)
    alone = isinstance(at.change, Code | Data)
    stage = Stage("rows" if alone else "apart", (moved(source, call),), alone=alone, apart=True)
    return divide(source, call, [stage], "in a migration of its own")


FIXERS: dict[str, Fixer] = {
    "not-null-scans": not_null,
    "foreign-key-validates": foreign_key,
    "check-validates": check,
    "index-without-concurrently": index,
    "index-dropped-without-concurrently": index,
    "implicit-index": implicit_index,
    "column-renamed": rename_column,
    "table-renamed": rename_table,
    "type-change-rewrites": retype,
    "loop-over-whole-table": data,
    "whole-table-written": data,
    "schema-and-data-together": apart_from,
    "work-under-exclusive-lock": apart_from,
    "validated-in-same-transaction": apart_from,
}
