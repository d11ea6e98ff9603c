"""REINDEX holds up writes, and readers that use the index.

Plain `REINDEX` holds SHARE on the table and ACCESS EXCLUSIVE on each index until it is rebuilt.
`REINDEX ... CONCURRENTLY` (PostgreSQL 12) lets everybody pass; it can't run in a transaction.
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
            bad='migrations.RunSQL("REINDEX TABLE shop_order", migrations.RunSQL.noop),',
            good="""# atomic = False
migrations.RunSQL("REINDEX TABLE CONCURRENTLY shop_order", migrations.RunSQL.noop),""",
        ),
        Example(
            "alembic",
            bad='op.execute("REINDEX TABLE orders")',
            good="""with op.get_context().autocommit_block():
    op.execute("REINDEX TABLE CONCURRENTLY orders")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb != "reindex" or change.detail == "concurrently":
        return
    yield Hazard(
        f"REINDEX of {change.name or change.table} makes writes wait, and every reader that wants "
        "an index of it",
        "write REINDEX ... CONCURRENTLY, outside of a transaction",
    )
