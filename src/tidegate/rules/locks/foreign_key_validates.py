"""A foreign key is checked against every row while both tables are locked.

`ADD FOREIGN KEY` holds SHARE ROW EXCLUSIVE on the table and on the one it points to while it
compares all rows: writes to both wait.

Add it NOT VALID, which takes the same locks for a moment, and VALIDATE it in a later transaction:
that one lets reads and writes pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint

RULE = Rule(
    "error",
    on=(AddConstraint,),
    vendors=POSTGRESQL,
    fixable=True,
    examples=(
        Example(
            "django",
            before='migrations.AddField("order", "payer_id", models.BigIntegerField(null=True)),',
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_order ADD CONSTRAINT order_payer FOREIGN KEY (payer_id) "
    "REFERENCES shop_customer (id)",
    "ALTER TABLE shop_order DROP CONSTRAINT order_payer",
),""",
            good="""migrations.RunSQL(
    "ALTER TABLE shop_order ADD CONSTRAINT order_payer FOREIGN KEY (payer_id) "
    "REFERENCES shop_customer (id) NOT VALID",
    "ALTER TABLE shop_order DROP CONSTRAINT order_payer",
),
# --- next file
migrations.RunSQL(
    "ALTER TABLE shop_order VALIDATE CONSTRAINT order_payer", migrations.RunSQL.noop
),""",
            companions=("foreign-key-without-index",),
        ),
        Example(
            "alembic",
            before="""op.add_column("orders", sa.Column("payer_id", sa.BigInteger()))
op.create_index("orders_payer", "orders", ["payer_id"])""",
            bad='op.create_foreign_key("orders_payer_fk", "orders", "customer", ["payer_id"], ["id"])',
            good="""op.create_foreign_key("orders_payer_fk", "orders", "customer", ["payer_id"], ["id"],
                      postgresql_not_valid=True)
# --- next file
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT orders_payer_fk")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    one = change.constraint
    if one.kind != "foreign-key" or not one.valid or not moment.is_old(change.table):
        return
    target = one.reference.table if one.reference else "the other table"
    name = one.name or "the foreign key"
    again = f" ({change.why})" if change.why.startswith("Django") else ""
    yield Hazard(
        f"adding {name} to {change.table}{again} compares all its rows with {target} while writes "
        "to both tables wait",
        moment.say(
            "add it as ... NOT VALID with RunSQL inside SeparateDatabaseAndState, and VALIDATE "
            "CONSTRAINT in the next migration",
            "give it postgresql_not_valid=True, and VALIDATE CONSTRAINT in the next revision",
            "end it with NOT VALID, and VALIDATE CONSTRAINT in the next migration",
        ),
    )
