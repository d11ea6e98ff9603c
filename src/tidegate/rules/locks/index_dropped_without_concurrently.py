"""An index is dropped under an exclusive lock.

`DROP INDEX` is short, but it needs ACCESS EXCLUSIVE on the table: it waits for every transaction
that uses the table, and everybody who comes after it waits behind it, readers too.

`DROP INDEX CONCURRENTLY` waits without holding anybody up. It can't run in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import DropIndex

RULE = Rule(
    "warning",
    on=(DropIndex,),
    vendors=POSTGRESQL,
    fixable=True,
    examples=(
        Example(
            "django",
            bad='migrations.RemoveIndex("order", "order_placed_idx"),',
            good="""# atomic = False
RemoveIndexConcurrently("order", "order_placed_idx"),""",
        ),
        Example(
            "alembic",
            bad='op.drop_index("orders_placed_idx", "orders")',
            good="""with op.get_context().autocommit_block():
    op.drop_index("orders_placed_idx", "orders", postgresql_concurrently=True)""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.concurrently or (change.table and not moment.is_old(change.table)):
        return
    if change.why or moment.loses_table(change.table):
        return
    table = change.table or "its table"
    yield Hazard(
        f"dropping {change.name} takes ACCESS EXCLUSIVE on {table}: it queues behind every open "
        "transaction, and every reader queues behind it",
        moment.say(
            "use RemoveIndexConcurrently in a migration of its own with atomic = False",
            "drop it inside `with op.get_context().autocommit_block():` with "
            "postgresql_concurrently=True",
            f"write DROP INDEX CONCURRENTLY {change.name} in a migration that is not atomic",
        ),
    )
