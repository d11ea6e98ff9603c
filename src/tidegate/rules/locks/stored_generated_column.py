"""A stored generated column rewrites the table.

The value is computed and written for every row under ACCESS EXCLUSIVE.

Use a plain column that a trigger or the code fills, filled in batches; on PostgreSQL 18 a VIRTUAL
generated column costs nothing.
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
            bad="""migrations.AddField("order", "double", models.GeneratedField(
    expression=models.F("total") * 2, output_field=models.IntegerField(), db_persist=True
)),""",
            good='migrations.AddField("order", "double", models.IntegerField(null=True)),',
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column(
    "double", sa.Integer(), sa.Computed("total * 2", persisted=True)
))""",
            good='op.add_column("orders", sa.Column("double", sa.Integer()))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.column.generated != "stored" or not moment.is_old(change.table):
        return
    yield Hazard(
        f"{change.table}.{change.column.name} is computed and stored for every row: the whole of "
        f"{change.table} is written anew under ACCESS EXCLUSIVE",
        "use a plain column that the code or a trigger fills, and fill the old rows in batches; "
        "on PostgreSQL 18 a VIRTUAL one is free",
    )
