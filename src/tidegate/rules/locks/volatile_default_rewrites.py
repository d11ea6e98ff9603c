"""A column with a default that differs per row rewrites the table.

A constant default is kept once in the catalogue. One that has to be computed for each row, such
as gen_random_uuid() or random(), writes the whole table anew under ACCESS EXCLUSIVE.

Add the column without a default, set the default for new rows, and fill the old ones in batches.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn

RULE = Rule(
    "error",
    on=(AddColumn,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""migrations.AddField(
    "order", "token", models.UUIDField(null=True, db_default=RandomUUID())
),""",
            good="""migrations.AddField("order", "token", models.UUIDField(null=True)),
migrations.AlterField(
    "order", "token", models.UUIDField(null=True, db_default=RandomUUID())
),""",
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column(
    "token", sa.Uuid(), server_default=sa.text("gen_random_uuid()")
))""",
            good="""op.add_column("orders", sa.Column("token", sa.Uuid()))
op.alter_column("orders", "token", server_default=sa.text("gen_random_uuid()"))
op.add_column("orders", sa.Column(
    "seen", sa.DateTime(timezone=True), server_default=sa.text("now()")
))""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.column.default != "volatile" or not moment.is_old(change.table):
        return
    name = change.column.name
    yield Hazard(
        f"the default of {change.table}.{name} is another one for each row: adding it writes the "
        f"whole of {change.table} anew under ACCESS EXCLUSIVE",
        f"add {name} without a default, then set the default for new rows, then fill the old rows "
        "in batches",
    )
