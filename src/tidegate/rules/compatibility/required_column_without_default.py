"""A NOT NULL column is added to a table that may have rows, without a default.

The database refuses it as soon as the table has one row; and INSERTs of the previous release,
which leave the column out, fail.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn

RULE = Rule(
    "error",
    on=(AddColumn,),
    examples=(
        Example(
            "django",
            bad='migrations.AddField("order", "source", models.CharField(max_length=9)),',
            good='migrations.AddField("order", "source", models.CharField(max_length=9, null=True)),',
        ),
        Example(
            "alembic",
            bad='op.add_column("orders", sa.Column("source", sa.String(9), nullable=False))',
            good='op.add_column("orders", sa.Column("source", sa.String(9)))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, column = moment.change, moment.change.column
    if column.nullable or column.default or column.identity or column.generated:
        return
    if (moment.django and column.code_default) or not moment.is_old(change.table):
        return
    if column.primary_key or (moment.step.vendor == "sqlite" and moment.django):
        return
    yield Hazard(
        f"{change.table}.{column.name} is NOT NULL and has no default: the database refuses it as "
        f"soon as {change.table} has a row",
        moment.say(
            "add it with null=True, or with a default and a db_default",
            "give it a server_default, or nullable=True first",
            "give it a DEFAULT, or leave NOT NULL out first",
        ),
    )
