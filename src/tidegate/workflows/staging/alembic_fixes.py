"""Staged rewrites of Alembic revisions, for findings that one file can't be rid of."""

from __future__ import annotations

import ast
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
from tidegate.workflows.check.edits import Fixed, Source, applied
from tidegate.workflows.check.fixes_alembic import BLOCK
from tidegate.workflows.staging import batches, expand
from tidegate.workflows.staging.alembic_files import backward_of, body, called, divide, function
from tidegate.workflows.staging.common import beside, later, of_finding, short
from tidegate.workflows.staging.django_files import cut
from tidegate.workflows.staging.django_fixes import varied, viewed
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.retype import Retyped
from tidegate.workflows.staging.retype import retyped as retyping_of
from tidegate.workflows.staging.rowloops import of_loop
from tidegate.workflows.staging.stage import (
    Declined,
    Stage,
    indented,
    literal,
    moved,
    names_in,
    quoted,
)

Fixer = Callable[[Source, Finding, Sequence[At]], Fixed]


def statement(source: Source, at: At) -> tuple[int, ast.Expr, ast.Call]:
    """Return the statement of upgrade() that holds an operation, its number and its call."""
    span = at.operation.span
    for number, node in enumerate(body(function(source, "upgrade"))):
        here = (node.lineno, node.end_lineno) == (span.line, span.end_line)
        if here and isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return number, node, node.value
    raise Declined(
        "it stands in a block or a helper: write it as a statement of its own in upgrade()"
    )


def execute(text: str) -> str:
    """Return an op.execute."""
    said = literal(text)
    return f"op.execute({said})" if "\n" not in said else f"op.execute(\n{indented(said, 4)}\n)"


def in_block(code: str) -> str:
    """Return a statement outside of the revision's transaction."""
    return f"{BLOCK}\n{indented(code, 4)}"


def _words(call: ast.Call) -> dict[str, ast.expr]:
    if any(word.arg is None for word in call.keywords):
        raise Declined("its arguments can't be read")
    return {word.arg: word.value for word in call.keywords if word.arg}


def refuse_schema(call: ast.Call) -> None:
    """Decline for a table in a schema of its own."""
    if {"schema", "source_schema"} & set(_words(call)):
        raise Declined("the table is in a schema of its own")


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
    validate = execute(f"ALTER TABLE {quoted(change.table)} VALIDATE CONSTRAINT {_sql(name)}")
    back = backward_of(source, number)
    stages = [
        Stage("not_null_check", (check,), (drop,)),
        Stage("not_null_valid", (validate,)),
        Stage("not_null", (moved(source, node), drop), (check, *([back] if back else []))),
    ]
    return divide(
        source, number, stages, "NOT NULL through a check, so that no lock waits for a scan"
    )


def _sql(name: str) -> str:
    return quoted(str(ast.literal_eval(name)))


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
    stage = Stage("concurrently", (in_block(_concurrently(source, call)),),
                  _behind(source, number), atomic=False, alone=True)  # fmt: skip
    return divide(source, number, [stage], "CONCURRENTLY, in a revision of its own")


def _concurrently(source: Source, call: ast.Call) -> str:
    moved(source, call)
    if "postgresql_concurrently" in _words(call):
        return moved(source, call)
    return varied(source, call, [source.with_argument(call, "postgresql_concurrently=True")])


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
    return (in_block(_concurrently(one, made.value)),)


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


def filling(suffix: str, made: batches.Batched) -> Stage:
    """Return the stage that goes over a table in batches."""
    code = in_block(made.call("op.get_bind()"))
    back = (made.forget("op.get_bind()"),)
    return Stage(suffix, (code,), back, atomic=False, alone=True, imports=(batches.IMPORT,))


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


def data(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """An UPDATE of all rows goes over them in batches that commit."""
    at = of_finding(ats, one, Data)
    number, _, _ = statement(source, at)
    made = batches.of_sql(at.operation.sql.replace("\\:", ":"), at)  # text() takes \: for :
    if backward_of(source, number):
        raise Declined("downgrade() writes the rows too")
    return divide(source, number, [filling(f"fill_{made.table}", made)],
                  "in batches that commit, with tidegate.backfill")  # fmt: skip


def rows(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A loop that writes each row by its key goes over them in batches that commit."""
    at = of_finding(ats, one, Code)
    ups = body(function(source, "upgrade"))
    lines = [node.lineno for node in ups]
    number = lines.index(one.place.line) if one.place.line in lines else -1
    loop = ups[number]
    if number < 0 or not isinstance(loop, ast.For):
        raise Declined("it is not a loop that stands by itself in upgrade()")
    made = of_loop(loop, [*source.tree.body, *ups[:number]], at)
    if backward_of(source, number):
        raise Declined("downgrade() writes the rows too")
    bare, number = without_names(source, ups, number)
    return divide(bare, number, [filling(f"fill_{made.table}", made)],
                  "in batches that commit, with tidegate.backfill")  # fmt: skip


def without_names(source: Source, ups: Sequence[ast.stmt], number: int) -> tuple[Source, int]:
    """Return the revision without what only the loop asked for, and the loop's new number."""
    wanted = names_in(ast.unparse(ups[number]))
    gone: list[ast.stmt] = []
    for node in reversed(ups[:number]):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        others = [one for one in ups if one not in (*gone, node, ups[number])]
        used = {name for one in others for name in names_in(ast.unparse(one))}
        if isinstance(target, ast.Name) and target.id in wanted and target.id not in used:
            gone.append(node)
            wanted |= names_in(ast.unparse(node))
    if not gone:
        return source, number
    text = applied(source.text, [cut(source, node) for node in gone])
    return Source(source.project, source.path, text, ast.parse(text)), number - len(gone)


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
