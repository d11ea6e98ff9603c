"""A table is dropped that the running release still uses.

Its queries fail from that moment on, and the rows are gone. First release the code without the
model, then drop the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import DropTable

RULE = Rule(
    "error",
    on=(DropTable,),
    examples=(
        Example(
            "django",
            bad='migrations.DeleteModel("Order"),',
            good="""migrations.SeparateDatabaseAndState(
    state_operations=[migrations.DeleteModel("Order")],
),
# --- next file
migrations.RunSQL("DROP TABLE shop_order", migrations.RunSQL.noop),""",
        ),
        Example(
            "alembic",
            bad='op.drop_table("orders")',
            good="""# tidegate: allow table-dropped: no code has used it since release 41
op.drop_table("orders")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    table = moment.table(change.table)
    since = table.forgotten.get("*", "") if table else ""
    if not moment.is_old(change.table) or (since and not moment.step.is_fresh(since)):
        return
    yield Hazard(
        f"{change.table} goes with its rows while the previous release may still query it",
        moment.say(
            "take the model out first, with SeparateDatabaseAndState(state_operations="
            "[DeleteModel(...)]), and drop the table in the next release",
            "release the code without the table first, and drop it in the next release; where "
            "that is done, say so: # tidegate: allow table-dropped: REASON",
        ),
    )
