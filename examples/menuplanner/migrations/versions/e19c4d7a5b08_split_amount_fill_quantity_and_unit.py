"""split amount: fill quantity and unit

"250 g" becomes 250 and "g"; what does not start with a number ("a pinch")
becomes 0 and the text itself.

Revision ID: e19c4d7a5b08
Revises: 82f5b6093ead
Create Date: 2023-06-20 14:22:10.094815

"""

import re

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "e19c4d7a5b08"
down_revision = "82f5b6093ead"
branch_labels = None
depends_on = None

BATCH_SIZE = 500

# Tables as they are at this revision, not as menuplanner.models has them today.
recipe_ingredient = sa.table(
    "recipe_ingredient",
    sa.column("id", sa.Integer),
    sa.column("amount", sa.String),
    sa.column("quantity", sa.Numeric(10, 3, asdecimal=False)),
    sa.column("unit", sa.String),
)

_AMOUNT = re.compile(r"\s*(\d{1,7}(?:[.,]\d{1,3})?)\s*(.*?)\s*", re.DOTALL)


def split_amount(amount: str) -> tuple[float, str]:
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        return 0, amount
    return float(match[1].replace(",", ".")), match[2]


def join_amount(quantity: float, unit: str) -> str:
    if quantity == 0:
        return unit or "0"
    return f"{quantity:.3f}".rstrip("0").rstrip(".") + (f" {unit}" if unit else "")


def batches(*columns):
    """All rows in order of id, BATCH_SIZE at a time."""
    bind = op.get_bind()
    query = sa.select(recipe_ingredient.c.id, *columns).order_by(recipe_ingredient.c.id)
    last_id = 0
    while rows := bind.execute(
        query.where(recipe_ingredient.c.id > last_id).limit(BATCH_SIZE)
    ).all():
        yield rows
        last_id = rows[-1].id


def upgrade() -> None:
    require_database()
    statement = (
        sa.update(recipe_ingredient)
        .where(recipe_ingredient.c.id == sa.bindparam("row_id"))
        .values(quantity=sa.bindparam("new_quantity"), unit=sa.bindparam("new_unit"))
    )
    for rows in batches(recipe_ingredient.c.amount):
        values = []
        for row in rows:
            quantity, unit = split_amount(row.amount)
            values.append({"row_id": row.id, "new_quantity": quantity, "new_unit": unit})
        op.get_bind().execute(statement, values)


def downgrade() -> None:
    require_database()
    statement = (
        sa.update(recipe_ingredient)
        .where(recipe_ingredient.c.id == sa.bindparam("row_id"))
        .values(amount=sa.bindparam("new_amount"))
    )
    for rows in batches(recipe_ingredient.c.quantity, recipe_ingredient.c.unit):
        op.get_bind().execute(
            statement,
            [
                {"row_id": row.id, "new_amount": join_amount(row.quantity, row.unit)[:64]}
                for row in rows
            ],
        )
    with op.batch_alter_table("recipe_ingredient") as batch_op:
        batch_op.alter_column("amount", existing_type=sa.String(length=64), nullable=False)


def require_database() -> None:
    if op.get_context().as_sql:
        raise CommandError(f"revision {revision} reads rows: it cannot run with --sql")
