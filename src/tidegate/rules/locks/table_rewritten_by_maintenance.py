"""VACUUM FULL and CLUSTER write the table anew under an exclusive lock.

Nobody reads or writes the table until every row has been copied. Plain VACUUM does without; a
table that has to shrink while it is used needs pg_repack.
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
            bad="""# atomic = False
migrations.RunSQL("VACUUM FULL shop_order", migrations.RunSQL.noop),""",
            good="""# atomic = False
migrations.RunSQL("VACUUM ANALYZE shop_order", migrations.RunSQL.noop),""",
            line=2,
        ),
        Example(
            "alembic",
            bad='op.execute("CLUSTER orders USING orders_pkey")',
            good="""with op.get_context().autocommit_block():
    op.execute("VACUUM orders")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "cluster" or (change.verb == "vacuum" and change.detail == "full"):
        what = "CLUSTER" if change.verb == "cluster" else "VACUUM FULL"
        yield Hazard(
            f"{what} writes {change.table or 'every table'} anew under ACCESS EXCLUSIVE",
            "plain VACUUM holds nobody up; to give the space back while the table is used, use "
            "pg_repack outside of the migrations",
        )
