"""A column begins to allow NULL while the running release does not expect one.

The new release may write NULL where code of the previous release, and everybody else who reads
the table, has never met one. Let the readers be ready first.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "info",
    on=(AlterColumn,),
    confidence="low",
    examples=(
        Example(
            "django",
            bad='migrations.AlterField("order", "reference", models.CharField(max_length=40, null=True)),',
            good='migrations.AlterField("order", "reference", models.CharField(max_length=40, blank=True)),',
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "reference", nullable=True)',
            good='op.alter_column("orders", "note", nullable=True)',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if (
        change.nullable is True
        and change.before
        and moment.is_old_column(change.table, change.column)
    ):
        yield Hazard(
            f"code of the previous release that reads {change.table}.{change.column} has never met "
            "NULL there",
            "release readers that take NULL before writers that write it",
        )
