"""A field asks for an index that is built under the table's lock.

`db_index=True`, a foreign key, `index=True` and `index_together` build their index at the end of
the migration without CONCURRENTLY, in the transaction that already holds ACCESS EXCLUSIVE for
the new column: nobody reads or writes the table until the index is there.

Leave the index out of the field, and build it CONCURRENTLY in a migration of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddIndex

RULE = Rule(
    "error",
    on=(AddIndex,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""migrations.AddField("order", "payer", models.ForeignKey(
    "shop.Customer", models.CASCADE, null=True, related_name="paid"
)),""",
            good="""migrations.AddField("order", "payer", models.ForeignKey(
    "shop.Customer", models.CASCADE, null=True, related_name="paid", db_index=False
)),
# --- next file
# atomic = False
AddIndexConcurrently("order", models.Index(fields=["payer"], name="order_payer")),""",
        ),
        Example(
            "alembic",
            bad='op.add_column("orders", sa.Column("code", sa.Integer(), index=True))',
            good="""op.add_column("orders", sa.Column("code", sa.Integer()))
# --- next file
with op.get_context().autocommit_block():
    op.create_index("orders_code", "orders", ["code"], postgresql_concurrently=True)""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if not change.why or change.why == "the unique constraint" or not moment.is_old(change.table):
        return
    column = ", ".join(change.made.columns)
    yield Hazard(
        f"{change.why} of {moment.operation.subject or column} builds an index on {change.table} "
        f"({column}) without CONCURRENTLY, in the transaction that holds the table's lock",
        moment.say(
            "say db_index=False here, and add the index with AddIndexConcurrently in a migration "
            "of its own with atomic = False",
            "leave index=True out, and create the index with postgresql_concurrently=True inside "
            "an autocommit_block of the next revision",
        ),
    )
