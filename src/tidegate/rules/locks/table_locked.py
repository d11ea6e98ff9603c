"""A migration locks a table by hand.

LOCK TABLE without a weaker mode takes ACCESS EXCLUSIVE until the transaction ends: nobody reads
or writes the table. Statements take the locks that they need themselves.
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
            bad='migrations.RunSQL("LOCK TABLE shop_order", migrations.RunSQL.noop),',
            good="""migrations.RunSQL(
    "LOCK TABLE shop_order IN ROW EXCLUSIVE MODE", migrations.RunSQL.noop
),""",
        ),
        Example(
            "alembic",
            bad='op.execute("LOCK TABLE orders")',
            good='op.execute("LOCK TABLE orders IN ROW EXCLUSIVE MODE")',
        ),
    ),
)
WEAK = ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE")


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "lock" and change.detail not in WEAK and moment.is_old(change.table):
        who = "nobody reads or writes it" if change.detail == "ACCESS EXCLUSIVE" else "writes wait"
        yield Hazard(
            f"LOCK TABLE holds {change.table} in {change.detail} mode until the migration ends: {who}",
            "leave it out: each statement takes the lock that it needs",
        )
