"""CONCURRENTLY stands inside a transaction, where PostgreSQL refuses it.

`CREATE INDEX CONCURRENTLY cannot run inside a transaction block`: the migration fails when it is
applied. Django wraps each migration in a transaction unless it says `atomic = False`; Alembic
wraps each revision unless the statement stands in an `autocommit_block`. Several statements in one
text are a transaction as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddIndex, DropIndex, Statement

RULE = Rule(
    "error",
    on=(AddIndex, DropIndex, Statement),
    vendors=POSTGRESQL,
    fixable=True,
    examples=(
        Example(
            "django",
            applies=False,
            bad='AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),',
            good="""# atomic = False
AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),""",
        ),
        Example(
            "alembic",
            applies=False,
            bad='op.execute("CREATE INDEX CONCURRENTLY orders_total ON orders (total)")',
            good="""with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY orders_total ON orders (total)")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, Statement):
        named = change.detail == "concurrently" and change.verb in ("reindex", "detach-partition")
        what = change.verb.replace("-", " ").upper()
    else:
        named = change.made.concurrently if isinstance(change, AddIndex) else change.concurrently
        what = "CREATE INDEX" if isinstance(change, AddIndex) else "DROP INDEX"
    if not named or not moment.in_transaction or moment.committed:
        return
    yield Hazard(
        f"{what} CONCURRENTLY can't run in a transaction: PostgreSQL refuses it when the "
        "migration is applied",
        "give it a text of its own: several statements in one are a transaction"
        if moment.operation.transaction == 0
        else moment.say(
            "set atomic = False on the migration, and leave nothing else in it",
            "put it inside `with op.get_context().autocommit_block():`",
        ),
        mendable=moment.operation.transaction != 0,
    )
