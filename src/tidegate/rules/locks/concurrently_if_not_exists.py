"""IF NOT EXISTS hides an index that a failed build left INVALID.

A `CREATE INDEX CONCURRENTLY` that fails leaves an INVALID index of that name behind: it costs
writes and serves no reads. The next attempt with IF NOT EXISTS finds the name taken and reports
success.

Drop the index first (`DROP INDEX CONCURRENTLY IF EXISTS`), then build it without IF NOT EXISTS.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddIndex

RULE = Rule(
    "warning",
    on=(AddIndex,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""# atomic = False
migrations.RunSQL(
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS order_total ON shop_order (total)",
    "DROP INDEX CONCURRENTLY order_total",
),""",
            good="""# atomic = False
migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS order_total", migrations.RunSQL.noop),
migrations.RunSQL(
    "CREATE INDEX CONCURRENTLY order_total ON shop_order (total)",
    "DROP INDEX CONCURRENTLY order_total",
),""",
            line=2,
        ),
        Example(
            "alembic",
            bad="""with op.get_context().autocommit_block():
    op.create_index("orders_total", "orders", ["total"], postgresql_concurrently=True,
                    if_not_exists=True)""",
            good="""with op.get_context().autocommit_block():
    op.drop_index("orders_total", "orders", postgresql_concurrently=True, if_exists=True)
    op.create_index("orders_total", "orders", ["total"], postgresql_concurrently=True)""",
            line=2,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if not (change.if_not_exists and change.made.concurrently):
        return
    name = change.made.name or "the index"
    yield Hazard(
        f"a second attempt finds {name} INVALID from the first, takes it for done, and "
        f"{change.table} keeps an index that no query can use",
        f"drop {name} with DROP INDEX CONCURRENTLY IF EXISTS first, then build it without "
        "IF NOT EXISTS",
    )
