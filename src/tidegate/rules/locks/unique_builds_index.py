"""A unique constraint builds its index under an exclusive lock.

`ADD UNIQUE` holds ACCESS EXCLUSIVE while it builds the index: nobody reads or writes the table.

Build the unique index CONCURRENTLY first, then `ADD CONSTRAINT ... UNIQUE USING INDEX`, which
is immediate.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, AddIndex, Constraint

RULE = Rule(
    "error",
    on=(AddConstraint, AddIndex),
    vendors=POSTGRESQL,
    companions=("stricter-than-old-writes",),
    examples=(
        Example(
            "django",
            bad="""migrations.AddConstraint(
    "order", models.UniqueConstraint(fields=["reference"], name="order_reference_once")
),""",
            good="""# atomic = False
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY order_reference_once ON shop_order (reference)",
            "DROP INDEX CONCURRENTLY order_reference_once",
        ),
    ],
),
# --- next file
migrations.SeparateDatabaseAndState(
    database_operations=[
        migrations.RunSQL(
            "ALTER TABLE shop_order ADD CONSTRAINT order_reference_once "
            "UNIQUE USING INDEX order_reference_once",
            "ALTER TABLE shop_order DROP CONSTRAINT order_reference_once",
        ),
    ],
    state_operations=[
        migrations.AddConstraint(
            "order", models.UniqueConstraint(fields=["reference"], name="order_reference_once")
        ),
    ],
),""",
        ),
        Example(
            "alembic",
            bad='op.create_unique_constraint("reference_once", "orders", ["reference"])',
            good="""with op.get_context().autocommit_block():
    op.create_index("reference_once", "orders", ["reference"], unique=True,
                    postgresql_concurrently=True)
# --- next file
op.execute("ALTER TABLE orders ADD CONSTRAINT reference_once UNIQUE USING INDEX reference_once")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, AddIndex):
        one = Constraint("unique", change.made.name, change.made.columns)
        if change.why != "the unique constraint" or not change.made.unique:
            return
    else:
        one = change.constraint
    if one.kind != "unique" or one.using_index or not moment.is_old(change.table):
        return
    columns = ", ".join(one.columns) or "its columns"
    named = one.name or f"UNIQUE ({columns})"
    lock = "SHARE" if isinstance(change, AddIndex) else "ACCESS EXCLUSIVE"
    yield Hazard(
        f"adding {named} builds an index over the whole of {change.table} under {lock}: "
        + ("writes wait meanwhile" if lock == "SHARE" else "nobody reads or writes it meanwhile"),
        "build it first with CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... UNIQUE "
        "USING INDEX" + (" inside SeparateDatabaseAndState" if moment.django else ""),
    )
