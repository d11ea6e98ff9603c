"""A trigger is added, dropped, enabled or disabled on a table in use.

It takes SHARE ROW EXCLUSIVE or more for a moment: it queues behind open transactions, and writes
queue behind it. Do it with a short lock timeout, off peak.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "info",
    on=(Statement,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_order DISABLE TRIGGER ALL", "ALTER TABLE shop_order ENABLE TRIGGER ALL"
),""",
            good='migrations.RunSQL("SET LOCAL session_replication_role = replica", ""),',
        ),
        Example(
            "alembic",
            bad='op.execute("ALTER TABLE orders DISABLE TRIGGER ALL")',
            good='op.execute("SET LOCAL session_replication_role = replica")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "trigger" and moment.is_old(change.table):
        yield Hazard(
            f"changing a trigger of {change.table} queues behind every open transaction that "
            "writes it, and new writes queue behind that",
            "keep it alone in its migration, under a lock timeout of two seconds at most",
        )
