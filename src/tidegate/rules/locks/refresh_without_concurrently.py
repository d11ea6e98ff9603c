"""A materialized view is refreshed while nobody can read it.

`REFRESH MATERIALIZED VIEW` holds ACCESS EXCLUSIVE on the view until its query has run.
With CONCURRENTLY readers go on; the view needs a unique index for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "warning",
    on=(Statement,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE MATERIALIZED VIEW totals AS SELECT id, total FROM shop_order;"
    "CREATE UNIQUE INDEX totals_id ON totals (id)",
    "DROP MATERIALIZED VIEW totals",
),""",
            bad='migrations.RunSQL("REFRESH MATERIALIZED VIEW totals", migrations.RunSQL.noop),',
            good="""migrations.RunSQL(
    "REFRESH MATERIALIZED VIEW CONCURRENTLY totals", migrations.RunSQL.noop
),""",
        ),
        Example(
            "alembic",
            before="""op.execute("CREATE MATERIALIZED VIEW totals AS SELECT id, total FROM orders")
op.execute("CREATE UNIQUE INDEX totals_id ON totals (id)")""",
            bad='op.execute("REFRESH MATERIALIZED VIEW totals")',
            good='op.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY totals")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "refresh" and not change.detail:
        yield Hazard(
            f"nobody can read {change.table} until its query has run",
            "write REFRESH MATERIALIZED VIEW CONCURRENTLY; the view needs a unique index for it",
        )
