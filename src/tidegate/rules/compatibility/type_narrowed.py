"""A column's type becomes narrower: values that fitted don't any more.

The migration fails on the first value that is too long or too large, or cuts it; and writes of
the previous release fail. Widen at will; to narrow, check and clean the rows first, hold new
ones back with a CHECK, then change the type.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model import sqltype
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "error",
    on=(AlterColumn,),
    companions=("type-change-rewrites",),
    examples=(
        Example(
            "django",
            bad='migrations.AlterField("order", "reference", models.CharField(max_length=10)),',
            good='migrations.AlterField("order", "reference", models.CharField(max_length=90)),',
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "reference", type_=sa.String(10))',
            good='op.alter_column("orders", "reference", type_=sa.String(90))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.type is None or change.before is None or not moment.is_old(change.table):
        return
    if sqltype.narrows(change.before.type, change.type):
        yield Hazard(
            f"{change.table}.{change.column} goes from {change.before.type} to {change.type}: values "
            "that fitted are refused or cut, those in the table and those that the previous "
            "release writes",
            "clean the rows and add a CHECK in an earlier release, or keep the type",
        )
