"""Staged rewrites of Alembic revisions, for findings that one file can't be rid of."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from tidegate.model.finding import Finding
from tidegate.model.operation import (
    AddConstraint,
    AddIndex,
    AlterColumn,
    Data,
    DropIndex,
    RenameColumn,
    RenameTable,
)
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.staging import batches, expand
from tidegate.workflows.staging.alembic_files import backward_of, called, divide
from tidegate.workflows.staging.alembic_rows import data, filling, rows
from tidegate.workflows.staging.alembic_writing import (
    concurrently,
    execute,
    in_block,
    refuse_schema,
    sql_name,
    statement,
)
from tidegate.workflows.staging.common import beside, later, of_finding, short
from tidegate.workflows.staging.django_renames import viewed
from tidegate.workflows.staging.django_writing import varied
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.retype import Retyped
from tidegate.workflows.staging.retype import retyped as retyping_of
from tidegate.workflows.staging.stage import (
    Declined,
    Stage,
    literal,
    moved,
    quoted,
)

Fixer = Callable[[Source, Finding, Sequence[At]], Fixed]


def _alteration(source: Source, at: At) -> tuple[int, ast.Expr, AlterColumn]:
    """Return the statement that alters a column of a table in the default schema."""
    number, node, call = statement(source, at)
    assert isinstance(at.change, AlterColumn)
    refuse_schema(call)
    return number, node, at.change


def not_null(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A check is added NOT VALID, validated, taken for the NOT NULL, and dropped."""
    at = of_finding(ats, one, AlterColumn)
    number, node, change = _alteration(source, at)
    if change.type is not None or change.default is not None or beside(ats, at):
        raise Declined("more than NULL changes: give that a revision of its own")
    name = literal(short(f"{change.table}_{change.column}_is_set"))
    table = literal(change.table)
    test = literal(f"{quoted(change.column)} IS NOT NULL")
    check = (
        f"op.create_check_constraint(\n    {name}, {table}, {test}, postgresql_not_valid=True\n)"
    )
    drop = f'op.drop_constraint({name}, {table}, type_="check")'
    validate = execute(f"ALTER TABLE {quoted(change.table)} VALIDATE CONSTRAINT {sql_name(name)}")
    back = backward_of(source, number)
    stages = [
        Stage("not_null_check", (check,), (drop,)),
        Stage("not_null_valid", (validate,)),
        Stage("not_null", (moved(source, node), drop), (check, *([back] if back else []))),
    ]
    return divide(
        source, number, stages, "NOT NULL through a check, so that no lock waits for a scan"
    )


def constraint(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A foreign key or check is added NOT VALID, and validated by the next revision."""
    at = of_finding(ats, one, AddConstraint)
    number, node, call = statement(source, at)
    change = at.change
    assert isinstance(change, AddConstraint)
    kinds = ("create_foreign_key", "create_check_constraint")
    if called(node) not in kinds or not change.constraint.name:
        raise Declined("SQL in a string is left to its author" if called(node) == "execute"
                       else "the constraint has no name to validate it by: write one in the "
                       "place of None")  # fmt: skip
    refuse_schema(call)
    code = varied(source, call, [source.with_argument(call, "postgresql_not_valid=True")])
    moved(source, node)
    name = change.constraint.name
    back = backward_of(source, number)
    validate = execute(f"ALTER TABLE {quoted(change.table)} VALIDATE CONSTRAINT {quoted(name)}")
    stages = [
        Stage("", (code,), (back,) if back else ()),
        Stage(f"valid_{name}", (validate,), alone=True),
    ]
    return divide(source, number, stages, "NOT VALID, validated by the next revision")


def index(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """An index is built or dropped CONCURRENTLY, in a revision of its own."""
    at = of_finding(ats, one, AddIndex, DropIndex)
    number, node, call = statement(source, at)
    if called(node) not in ("create_index", "drop_index"):
        raise Declined("SQL in a string is left to its author")
    stage = Stage("concurrently", (in_block(concurrently(source, call)),),
                  _behind(source, number), atomic=False, alone=True)  # fmt: skip
    return divide(source, number, [stage], "CONCURRENTLY, in a revision of its own")


def _behind(source: Source, number: int) -> tuple[str, ...]:
    """Return how an index is taken back: as downgrade() says it, concurrently."""
    back = backward_of(source, number)
    if not back:
        return ()
    tree = ast.parse(back)
    made = tree.body[0]
    if not isinstance(made, ast.Expr) or not isinstance(made.value, ast.Call):
        return (back,)
    if called(made) not in ("create_index", "drop_index"):
        return (back,)
    one = Source(source.project, source.path, back, tree)
    return (in_block(concurrently(one, made.value)),)


def rename_column(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A copy of the column under the new name, kept equal by a trigger, filled in batches."""
    at = of_finding(ats, one, RenameColumn)
    number, _, call = statement(source, at)
    change = at.change
    assert isinstance(change, RenameColumn)
    refuse_schema(call)
    if beside(ats, at):
        raise Declined("more than the name changes: give that a revision of its own")
    later(ats, at, change.table, change.new)
    made = expand.renamed(at.tables.get(change.table), change.table, change.column, change.new,
                          at.key(change.table))  # fmt: skip
    return divide(source, number, renaming(made),
                  "expand: both names work until `tidegate make --contract`")  # fmt: skip


def renaming(made: expand.Renamed) -> list[Stage]:
    """Return the stages of a column's renaming, up to the contract."""
    add, trigger = made.expand()
    constant = f"SYNC_{made.old}_{made.new}".upper()
    code = f'{constant} = """\\\n{made.function()}\n"""'
    set_, where = made.fill()
    batch = batches.Batched(made.table, set_, where, made.key)
    stages = [
        Stage("expand", (execute(add), f"op.execute({constant})", execute(trigger)),
              tuple(execute(each) for each in made.undo()), code=code),
        filling(f"fill_{made.new}", batch),
    ]  # fmt: skip
    for name, columns in made.indexes:
        words = f"{literal(name)}, {literal(made.table)}"
        create = f"op.create_index({words}, {list(columns)!r}, postgresql_concurrently=True)"
        drop = f"op.drop_index({words}, if_exists=True, postgresql_concurrently=True)"
        stages.append(Stage(name, (in_block(create),), (in_block(drop),), False, True))
    return stages


def retype(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A copy of the column in the new type takes its place, without a rewrite of the table."""
    at = of_finding(ats, one, AlterColumn)
    number, _, change = _alteration(source, at)
    if change.nullable is not None or change.default is not None or beside(ats, at):
        raise Declined("more than the type changes: give that a revision of its own")
    later(ats, at, change.table, change.column)
    return divide(source, number, retyping(retyping_of(change, at)),
                  "a copy in the new type takes the column's place")  # fmt: skip


def retyping(made: Retyped) -> list[Stage]:
    """Return the stages of a column's new type."""
    constant = f"SYNC_{made.column}".upper()
    code = f'{constant} = """\\\n{made.function()}\n"""'
    function = f"op.execute({constant})"
    undo = [*made.drop(), made.alter(f"DROP COLUMN {quoted(made.copy)}")]
    stages = [
        Stage(made.copy, (execute(made.add()), function, execute(made.trigger())),
              tuple(map(execute, undo)), code=code),
        filling(f"fill_{made.copy}", made.fill()),
    ]  # fmt: skip
    for name, create, drop in made.built():
        both = (in_block(execute(create)),), (in_block(execute(drop)),)
        stages.append(Stage(name, *both, atomic=False, alone=True))
    if not made.nullable:
        stages.append(Stage(f"{made.copy}_valid", (execute(made.validate()),), alone=True))
    back = (*map(execute, made.reopened()), function, execute(made.trigger()))
    return [
        *stages,
        Stage(f"swap_{made.column}", tuple(map(execute, made.swap())), back, code=code),
    ]


def rename_table(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The old name stays as a view for one release."""
    at = of_finding(ats, one, RenameTable)
    number, node, call = statement(source, at)
    change = at.change
    assert isinstance(change, RenameTable)
    refuse_schema(call)
    if called(node) != "rename_table":
        raise Declined("SQL in a string is left to its author")
    back = backward_of(source, number)
    drop = execute(f"DROP VIEW {quoted(change.table)}")
    view = execute(viewed(change.table, change.new))
    stages = [Stage("", (moved(source, node), view), (drop, back) if back else ())]
    return divide(source, number, stages, "the old name stays as a view until the next release")


def apart_from(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The statement goes into a revision of its own, whose transaction holds no other lock."""
    here = (one.place.line, one.place.column)
    at = next((each for each in ats if each.operation.span[:2] == here), None)
    if at is None:
        raise Declined("it is not written as a plain operation")
    number, node, _ = statement(source, at)
    back = backward_of(source, number)
    alone = isinstance(at.change, Data)
    stage = Stage("rows" if alone else "apart", (moved(source, node),), (back,) if back else (),
                  alone=alone, apart=True)  # fmt: skip
    return divide(source, number, [stage], "in a revision of its own")


FIXERS: dict[str, Fixer] = {
    "not-null-scans": not_null,
    "foreign-key-validates": constraint,
    "check-validates": constraint,
    "index-without-concurrently": index,
    "index-dropped-without-concurrently": index,
    "column-renamed": rename_column,
    "table-renamed": rename_table,
    "type-change-rewrites": retype,
    "loop-over-whole-table": rows,
    "whole-table-written": data,
    "schema-and-data-together": apart_from,
    "work-under-exclusive-lock": apart_from,
    "validated-in-same-transaction": apart_from,
}
