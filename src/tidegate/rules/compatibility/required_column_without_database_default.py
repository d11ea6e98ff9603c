"""A NOT NULL column is added whose default only the new code knows.

Django adds the column with a default, fills the old rows, and drops the default again. The
previous release does not know the column: its INSERTs leave it out, and fail with a NOT NULL
violation from that moment on.

So it is with a column that is added nullable and made NOT NULL in the same release, in this file or
another one, or that a CHECK (column IS NOT NULL) is added for.

Keep the default in the database with `db_default` (Django 5), or add the column nullable and make
it NOT NULL in a later release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn, AddConstraint, AlterColumn, Statement

RULE = Rule(
    "error",
    on=(AddColumn, AlterColumn, AddConstraint),
    examples=(
        Example(
            "django",
            bad='migrations.AddField("order", "source", models.CharField(max_length=9, default="web")),',
            good="""migrations.AddField(
    "order", "source", models.CharField(max_length=9, default="web", db_default="web")
),""",
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column(
    "source", sa.String(9), nullable=False, server_default="web"
))
op.alter_column("orders", "source", server_default=None)""",
            good="""op.add_column("orders", sa.Column(
    "source", sa.String(9), nullable=False, server_default="web"
))""",
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column("source", sa.String(9)))
op.alter_column("orders", "source", nullable=False)""",
            good="""op.add_column("orders", sa.Column("source", sa.String(9)))""",
            line=2,
            companions=("not-null-scans",),
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    if not isinstance(moment.change, AddColumn):
        yield from _later(moment)
        return
    change, column = moment.change, moment.change.column
    if column.nullable or column.identity or column.generated or not moment.is_old(change.table):
        return
    dropped = _dropped_again(moment)
    if column.default and not dropped:
        return
    if not (moment.django and column.code_default) and not dropped:
        return
    yield _hazard(moment, change.table, column.name)


def _later(moment: Moment) -> Iterator[Hazard]:
    """A column that the previous release does not know has to be filled from now on."""
    change = moment.change
    if isinstance(change, AddConstraint):
        name, default = change.constraint.not_null_of, None
        required = bool(name)
    else:
        name, default = change.column, change.default
        required = change.nullable is False
    table = moment.table(change.table)
    column = table.columns.get(name) if table else None
    if table is None or column is None or not moment.is_old(change.table):
        return
    added = table.added_in.get("new column " + name, "")
    if not moment.step.is_fresh(added) or column.identity or column.generated:
        return
    loses = default == "" and not column.nullable and column.default and added != moment.step.id
    if not loses and (not required or not column.nullable):
        return
    kept = column.default if default is None else default
    if kept and not _dropped_again(moment):
        return
    if _filled(moment, table.name) or _given(moment, name) or moment.drops(change.table, name):
        return
    if any(one.not_null_of == name for one in table.constraints.values()):
        return  # which has been said of the check
    yield _hazard(moment, change.table, name)


def _filled(moment: Moment, table: str) -> bool:
    """Whether a trigger of the release may give the column its value."""
    if moment.step.is_fresh(moment.types_made_in.get("triggers on " + table, "")):
        return True
    return any(
        isinstance(one.change, Statement)
        and (one.change.verb, one.change.detail, one.change.table) == ("trigger", "create", table)
        for one in moment.step.moments
    )


def _given(moment: Moment, column: str) -> bool:
    """Whether the step gives the column a default after this operation."""
    table, after = moment.change.table, False
    for one in moment.step.moments:
        found = one.change
        same = isinstance(found, AlterColumn) and (found.table, found.column) == (table, column)
        if after and same and found.default:
            return True
        after = after or one is moment
    return False


def _hazard(moment: Moment, table: str, column: str) -> Hazard:
    return Hazard(
        f"{table}.{column} is NOT NULL and the database keeps no default for it: "
        f"INSERTs of the previous release into {table} fail until the new release is up",
        moment.say(
            "give the field db_default as well (Django 5), or add it with null=True and make it "
            "NOT NULL in the next release",
            "keep the server_default until the next release"
            if isinstance(moment.change, AddColumn)
            else "give it a server_default, or make it NOT NULL in the next release",
            "keep the DEFAULT until the next release, or make it NOT NULL in the next release",
        ),
    )


def _dropped_again(moment: Moment) -> bool:
    """Whether the same step takes the column's default away again."""
    change, after = moment.change, False
    name = _column(change)
    for one in moment.step.moments:
        if one is moment:
            after = True
        elif after and isinstance(one.change, AlterColumn) and one.change.default == "":
            same = (one.change.table, one.change.column) == (change.table, name)
            if same:
                return True
    return False


def _column(change: AddColumn | AlterColumn | AddConstraint) -> str:
    if isinstance(change, AddColumn):
        return change.column.name
    return change.column if isinstance(change, AlterColumn) else change.constraint.not_null_of
