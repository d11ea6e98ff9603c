"""All rows of a table are deleted at once.

TRUNCATE takes ACCESS EXCLUSIVE, and with CASCADE it empties every table that points to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Data

RULE = Rule(
    "error",
    on=(Data,),
    examples=(
        Example(
            "django",
            bad='migrations.RunSQL("TRUNCATE shop_order", migrations.RunSQL.noop),',
            good='migrations.RunSQL("DELETE FROM shop_order WHERE total < 0", migrations.RunSQL.noop),',
        ),
        Example(
            "alembic",
            bad='op.execute("TRUNCATE orders")',
            good='op.execute("DELETE FROM orders WHERE total < 0")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "truncate" and moment.is_old(change.table):
        more = ", and those of every table that points to it" if change.cascade else ""
        yield Hazard(
            f"every row of {change.table} is gone{more}",
            "delete the rows that are meant, with a condition, in batches",
        )
