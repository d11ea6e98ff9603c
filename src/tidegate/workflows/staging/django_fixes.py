"""Staged rewrites of Django migrations, for findings that one file can't be rid of."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Sequence

from tidegate.model.finding import Finding
from tidegate.model.operation import (
    AddConstraint,
    AddIndex,
    AlterColumn,
    Code,
    Data,
    DropIndex,
    RenameColumn,
    RenameTable,
)
from tidegate.reading.migrations.django_fields import is_many, target_of
from tidegate.workflows.check.edits import Fixed, Source, applied
from tidegate.workflows.check.fixes_django import NAMES, called, operations
from tidegate.workflows.staging import batches, expand
from tidegate.workflows.staging.common import NAME, beside, later, of_finding, short
from tidegate.workflows.staging.django_files import cut, divide
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.remarks import Remarks, of_function
from tidegate.workflows.staging.retype import Retyped
from tidegate.workflows.staging.retype import retyped as retyping_of
from tidegate.workflows.staging.saying import constant
from tidegate.workflows.staging.stage import Declined, Stage, indented, literal, moved, quoted

POSTGRES = "from django.contrib.postgres.operations import "
SILENT = Remarks()
Fixer = Callable[[Source, Finding, Sequence[At]], Fixed]


def call_of(source: Source, at: At) -> ast.Call:
    """Return the operation's call in the migration's own list."""
    span = at.operation.span
    for node in operations(source):
        begins = (node.lineno, node.col_offset + 1) == (span.line, span.column)
        if begins and isinstance(node, ast.Call):
            return node
    raise Declined("it is not in the list of the migration's own operations")


def sql(forward: Sequence[str], backward: Sequence[str]) -> str:
    """Return a RunSQL; names in capitals are constants of the module."""

    def one(text: str) -> str:
        return text if text.isupper() and text.isidentifier() else literal(text)

    def several(texts: Sequence[str]) -> str:
        if not texts:
            return "migrations.RunSQL.noop"
        if len(texts) == 1:
            return one(texts[0])
        return "[\n" + "".join(indented(one(each), 4) + ",\n" for each in texts) + "]"

    inner = "".join(indented(several(each), 4) + ",\n" for each in (forward, backward))
    return f"migrations.RunSQL(\n{inner})"


def apart(database: Sequence[str], state: Sequence[str]) -> str:
    """Return a SeparateDatabaseAndState."""

    def listed(name: str, codes: Sequence[str]) -> str:
        inner = "".join(indented(one, 8) + ",\n" for one in codes)
        return f"    {name}=[\n{inner}    ],\n"

    both = listed("database_operations", database) + listed("state_operations", state)
    return f"migrations.SeparateDatabaseAndState(\n{both})"


def varied(source: Source, call: ast.Call, edits: list[tuple[int, int, str]]) -> str:
    """Return a call's code with edits made inside it."""
    start, end = source.start(call), source.end(call)
    text = applied(source.text[start:end], [(a - start, b - start, new) for a, b, new in edits])
    lines = text.split("\n")
    return "\n".join([lines[0], *(one.removeprefix(" " * call.col_offset) for one in lines[1:])])


def argument(call: ast.Call, number: int, name: str) -> ast.expr | None:
    """Return an argument by place or name."""
    named = next((word.value for word in call.keywords if word.arg == name), None)
    return named or (call.args[number] if len(call.args) > number else None)


def not_null(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A check is added NOT VALID, validated, taken for the NOT NULL, and dropped."""
    at = of_finding(ats, one, AlterColumn)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, AlterColumn)
    if change.type is not None or change.default is not None or beside(ats, at):
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


def filling(
    suffix: str, name: str, made: batches.Batched, reverse: str = "", said: Remarks = SILENT
) -> Stage:
    """Return the stage of a RunPython that goes over a table in batches.

    The way back forgets how far it got, after `reverse`, the function that takes the rows back.
    `said` is what stood about the function that it is made of.
    """
    connection = "schema_editor.connection"
    back = f"undo_{name}" if f"undo_{name}" != reverse else f"take_back_{name}"
    undo = [f"{reverse}(apps, schema_editor)"] if reverse else []
    undo.append(made.forget(connection))
    forward = [*([said.doc] if said.doc else []), *said.inside, made.call(connection)]
    code = "\n\n\n".join(
        f"def {function}(apps, schema_editor):\n" + indented("\n".join(lines), 4)
        for function, lines in ((name, forward), (back, undo))
    )
    code = "\n".join([*said.above, code])
    run = f"migrations.RunPython({name}, {back})"
    return Stage(suffix, (run,), atomic=False, alone=True, code=code, imports=(batches.IMPORT,))


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


def own_name(table: str, column: str, suffix: str = "") -> str:
    """Return the name that Django gives an index or constraint of one column."""
    bare = table.rpartition(".")[2]
    digest = hashlib.md5(bare.encode() + column.encode(), usedforsecurity=False).hexdigest()[:8]
    tail = digest + suffix
    name = f"{bare}_{column}_{tail}"
    if len(name) <= NAME:
        return name
    tail = tail[: NAME // 3]  # and both names are cut to what that leaves
    room = (NAME - len(tail)) // 2 - 1
    name = f"{bare[:room]}_{column[:room]}_{tail}"
    return f"D{name[:-1]}" if name[0] in "_0123456789" else name


def field_with(source: Source, call: ast.Call, word: str, value: str) -> str:
    """Return an operation's code with a keyword of its field set."""
    field = argument(call, 2, "field")
    if not isinstance(field, ast.Call) or any(each.arg is None for each in field.keywords):
        raise Declined("its field can't be read")
    given = next((each.value for each in field.keywords if each.arg == word), None)
    if given is not None:
        edit = (source.start(given), source.end(given), value)
    else:
        edit = source.with_argument(field, f"{word}={value}")
    moved(source, call)  # declines what can't be indented
    return varied(source, call, [edit])


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


def altering(source: Source, call: ast.Call) -> str:
    """Return the AlterField that ends where an AddField or AlterField does."""
    model, name = argument(call, 0, "model_name"), argument(call, 1, "name")
    field = argument(call, 2, "field")
    if not (model and name and field):
        raise Declined("its arguments can't be read")
    if "\n" in source.of(field):
        return _reflowed(source, model, name, field)
    return (
        f"migrations.AlterField(\n    model_name={source.of(model)},\n"
        f"    name={source.of(name)},\n    field={moved(source, field)},\n)"
    )


def _reflowed(source: Source, model: ast.expr, name: ast.expr, field: ast.expr) -> str:
    inner = moved(source, field).split("\n")
    indent = min((len(one) - len(one.lstrip()) for one in inner[1:] if one.strip()), default=0)
    tail = len(inner[-1]) - len(inner[-1].lstrip())
    base = min(indent, tail)
    lines = [inner[0], *("    " + one[base:] for one in inner[1:])]
    text = "\n".join(lines)
    return (
        f"migrations.AlterField(\n    model_name={source.of(model)},\n"
        f"    name={source.of(name)},\n    field={text},\n)"
    )


def build(table: str, column: str, suffix: str, opclass: str) -> tuple[str, str]:
    """Return what builds an index of Django's own naming CONCURRENTLY, and what drops it."""
    name = quoted(own_name(table, column, suffix))
    said = f"{quoted(column)} {opclass}".strip()
    return (
        f"CREATE INDEX CONCURRENTLY {name} ON {quoted(table)} ({said})",
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
    )


def rename_column(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A copy of the column under the new name, kept equal by a trigger, filled in batches."""
    at = of_finding(ats, one, RenameColumn)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, RenameColumn)
    if called(call) != "RenameField" or beside(ats, at):
        raise Declined("more than the name changes: give that a migration of its own")
    later(ats, at, change.table, change.new)
    made = expand.renamed(at.tables.get(change.table), change.table, change.column, change.new,
                          at.key(change.table))  # fmt: skip
    return divide(source, call, renaming(made, [moved(source, call)]),
                  "expand: both names work until `tidegate make --contract`")  # fmt: skip


def renaming(made: expand.Renamed, state: Sequence[str]) -> list[Stage]:
    """Return the stages of a column's renaming, up to the contract."""
    add, trigger = made.expand()
    constant = f"SYNC_{made.old}_{made.new}".upper()
    code = f'{constant} = """\\\n{made.function()}\n"""'
    set_, where = made.fill()
    batch = batches.Batched(made.table, set_, where, made.key)
    stages = [
        Stage("expand", (apart([sql([add, constant, trigger], made.undo())], state),), code=code),
        filling(f"fill_{made.new}", f"fill_{made.new}", batch),
    ]
    for name, columns in made.indexes:
        listed = ", ".join(quoted(column) for column in columns)
        create = f"CREATE INDEX CONCURRENTLY {quoted(name)} ON {quoted(made.table)} ({listed})"
        operation = sql([create], [f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(name)}"])
        stages.append(Stage(name, (operation,), atomic=False, alone=True))
    return stages


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


def rename_table(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The old name stays as a view for one release."""
    at = of_finding(ats, one, RenameTable)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, RenameTable)
    if called(call) not in ("RenameModel", "AlterModelTable"):
        raise Declined("SQL in a string is left to its author")
    if any(isinstance(each, RenameTable) for each in beside(ats, at)) or _has_many(at):
        raise Declined("tables of many-to-many fields are renamed with it")
    view = sql([viewed(change.table, change.new)], [f"DROP VIEW {quoted(change.table)}"])
    stages = [Stage("", (moved(source, call), view))]
    return divide(source, call, stages, "the old name stays as a view until the next release")


def viewed(old: str, new: str) -> str:
    """Return the view that stands for a renamed table."""
    return f"CREATE VIEW {quoted(old)} AS SELECT * FROM {quoted(new)}"


def _has_many(at: At) -> bool:
    change = at.change
    assert isinstance(change, RenameTable)
    models = at.models.all if at.models else {}
    mine = {key for key, one in models.items() if one.table in (change.table, change.new)}
    user = at.models.user if at.models else ""
    for key, model in models.items():
        for field in model.fields.values():
            if is_many(field) and (
                key in mine or target_of(field, model.app, model.name, user) in mine
            ):
                return True
    return False


def data(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A loop or an update over all rows goes over them in batches that commit."""
    at = of_finding(ats, one, Code, Data)
    call = call_of(source, at)
    number = operations(source).index(call)
    app = source.project.source(source.path).group
    if isinstance(at.change, Data):
        made = batches.of_sql(at.operation.sql, at)
        back = argument(call, 1, "reverse_sql")
        if back is not None and source.of(back) not in ("migrations.RunSQL.noop", '""', "''"):
            raise Declined("its reverse writes rows too")
        stage = filling(f"fill_{made.table.rpartition('.')[2]}", _free(source, "fill"), made)
        return divide(source, call, [stage], "in batches that commit, with tidegate.backfill")
    name = at.change.name if isinstance(at.change, Code) else ""
    function = next((n for n in source.tree.body if isinstance(n, ast.FunctionDef)
                     and n.name == name), None)  # fmt: skip
    if function is None or function.decorator_list:
        raise Declined("its function is not in this file")
    made = batches.of_function(function, app, at)
    reverse = argument(call, 1, "reverse_code")
    said = source.of(reverse) if reverse is not None else ""
    about = of_function(source, function)
    stage = filling(name, name, made, "" if said.endswith(".noop") else said, about)
    bare = applied(source.text, [cut(source, function)])
    without = Source(source.project, source.path, bare, ast.parse(bare))
    again = operations(without)[number]
    assert isinstance(again, ast.Call)
    return divide(without, again, [stage], "in batches that commit, with tidegate.backfill")


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


def _free(source: Source, name: str) -> str:
    taken = {n.name for n in source.tree.body if isinstance(n, ast.FunctionDef)}
    while name in taken:
        name += "_rows"
    return name


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
