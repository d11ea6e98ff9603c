"""A table is moved to another tablespace, access method or log mode.

SET TABLESPACE, SET LOGGED, SET UNLOGGED and SET ACCESS METHOD copy the whole table under ACCESS
EXCLUSIVE. Create a new table there and move the rows in batches, or do it while nobody uses the
table.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "error",
    on=(Statement,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_order SET UNLOGGED", "ALTER TABLE shop_order SET LOGGED"
),""",
            good="""migrations.RunSQL(
    "CREATE UNLOGGED TABLE shop_scratch (id bigint)", "DROP TABLE shop_scratch"
),""",
        ),
        Example(
            "alembic",
            bad='op.execute("ALTER TABLE orders SET UNLOGGED")',
            good='op.execute("CREATE UNLOGGED TABLE scratch (id bigint)")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "move-storage" and moment.is_old(change.table):
        yield Hazard(
            f"the whole of {change.table} is copied under ACCESS EXCLUSIVE",
            f"do it while nobody uses {change.table}, or move the rows into a new table in batches",
        )
