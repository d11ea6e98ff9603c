"""An index is built while writes wait.

`CREATE INDEX` holds a SHARE lock on the table until the whole table has been read and sorted.
Reads go on; every INSERT, UPDATE and DELETE waits that long, minutes on a large table.

`CREATE INDEX CONCURRENTLY` reads the table twice instead and lets writes pass.
It can't run in a transaction, so the migration must not be atomic, and it should be alone in its
file: should it fail, the index is left INVALID and the one statement is run again.

On a table that the same release creates there is nobody to wait, and the rule is silent.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddIndex

RULE = Rule(
    "error",
    on=(AddIndex,),
    vendors=POSTGRESQL,
    fixable=True,
    examples=(
        Example(
            "django",
            bad='migrations.AddIndex("order", models.Index(fields=["total"], name="order_total")),',
            good="""# atomic = False
AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),""",
        ),
        Example(
            "alembic",
            bad='op.create_index("orders_total", "orders", ["total"])',
            good="""with op.get_context().autocommit_block():
    op.create_index("orders_total", "orders", ["total"], postgresql_concurrently=True)""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.made.concurrently or change.why or not moment.is_old(change.table):
        return
    name = change.made.name or "the index"
    yield Hazard(
        f"building {name} on {change.table} makes every write to {change.table} wait until "
        "the whole table has been read",
        moment.say(
            "use AddIndexConcurrently from django.contrib.postgres.operations in a migration of "
            "its own with atomic = False",
            "wrap it in `with op.get_context().autocommit_block():` and give it "
            "postgresql_concurrently=True, in a revision of its own",
            f"write CREATE INDEX CONCURRENTLY {name} ... in a migration that is not atomic",
        ),
    )
