"""A column loses its default while the running release may rely on it.

INSERTs of the previous release that leave the column out write NULL, or fail where it is NOT NULL.
Drop the default one release after the code has stopped to rely on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "warning",
    on=(AlterColumn,),
    confidence="medium",
    examples=(
        Example(
            "django",
            before='migrations.AddField("order", "rate", models.IntegerField(db_default=1)),',
            bad='migrations.AlterField("order", "rate", models.IntegerField(default=1)),',
            good='migrations.AlterField("order", "rate", models.IntegerField(db_default=2)),',
        ),
        Example(
            "alembic",
            before="""op.add_column("orders", sa.Column(
    "rate", sa.Integer(), server_default="1", nullable=False
))""",
            bad='op.alter_column("orders", "rate", server_default=None)',
            good='op.alter_column("orders", "rate", server_default="2")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.default != "" or not moment.is_old_column(change.table, change.column):
        return
    before = change.before
    if before is None or before.nullable or not before.default or change.nullable:
        return
    if moment.step.is_fresh(_added(moment)):
        return
    yield Hazard(
        f"{change.table}.{change.column} is NOT NULL and loses its default: INSERTs of the "
        "previous release that leave it out fail",
        "drop the default one release after the code has begun to write a value always",
    )


def _added(moment: Moment) -> str:
    table = moment.table(moment.change.table)
    return table.added_in.get("column " + moment.change.column, "") if table else ""
