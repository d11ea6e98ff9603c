"""A serial or identity column on a table that has rows rewrites it.

Each row has to be given its number, so the whole table is written anew under ACCESS EXCLUSIVE.

Add a plain nullable column, make the sequence, set it as the default for new rows, and number the
old rows in batches.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn, AlterColumn

RULE = Rule(
    "error",
    on=(AddColumn, AlterColumn),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_order ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE shop_order DROP COLUMN number",
),""",
            good="""migrations.RunSQL(
    "ALTER TABLE shop_order ADD COLUMN number bigint; CREATE SEQUENCE order_numbers; "
    "ALTER TABLE shop_order ALTER COLUMN number SET DEFAULT nextval('order_numbers')",
    "ALTER TABLE shop_order DROP COLUMN number; DROP SEQUENCE order_numbers",
),""",
        ),
        Example(
            "alembic",
            bad='op.add_column("orders", sa.Column("number", sa.BigInteger(), sa.Identity()))',
            good="""op.add_column("orders", sa.Column("number", sa.BigInteger()))
op.execute("CREATE SEQUENCE order_numbers")
op.alter_column("orders", "number", server_default=sa.text("nextval('order_numbers')"))""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, AlterColumn) or not change.column.identity:
        return
    if not moment.is_old(change.table):
        return
    name = change.column.name
    yield Hazard(
        f"every row of {change.table} gets its number for {name} at once: the whole table is "
        "written anew under ACCESS EXCLUSIVE",
        f"add {name} as a plain nullable column, set nextval() of a sequence as its default, and "
        "number the old rows in batches",
    )
