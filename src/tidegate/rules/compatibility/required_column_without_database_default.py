"""A NOT NULL column is added whose default only the new code knows.

Django adds the column with a default, fills the old rows, and drops the default again. The
previous release does not know the column: its INSERTs leave it out, and fail with a NOT NULL
violation from that moment on.

Keep the default in the database with `db_default` (Django 5), or add the column nullable and make
it NOT NULL in a later release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn, AlterColumn

RULE = Rule(
    "error",
    on=(AddColumn,),
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
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, column = moment.change, moment.change.column
    if column.nullable or column.identity or column.generated or not moment.is_old(change.table):
        return
    dropped = _dropped_again(moment)
    if column.default and not dropped:
        return
    if not (moment.django and column.code_default) and not dropped:
        return
    yield Hazard(
        f"{change.table}.{column.name} is NOT NULL and the database keeps no default for it: "
        f"INSERTs of the previous release into {change.table} fail until the new release is up",
        moment.say(
            "give the field db_default as well (Django 5), or add it with null=True and make it "
            "NOT NULL in the next release",
            "keep the server_default until the next release",
        ),
    )


def _dropped_again(moment: Moment) -> bool:
    """Whether the same step takes the column's default away again."""
    change, after = moment.change, False
    for one in moment.step.moments:
        if one is moment:
            after = True
        elif after and isinstance(one.change, AlterColumn) and one.change.default == "":
            same = (one.change.table, one.change.column) == (change.table, change.column.name)
            if same:
                return True
    return False
