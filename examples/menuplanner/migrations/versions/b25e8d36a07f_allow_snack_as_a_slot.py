"""allow snack as a slot

Revision ID: b25e8d36a07f
Revises: 4c71f09a8be5
Create Date: 2023-11-30 12:35:07.358291

"""

import sqlalchemy as sa
from alembic import op

revision = "b25e8d36a07f"
down_revision = "4c71f09a8be5"
branch_labels = None
depends_on = None

THREE_SLOTS = "slot IN ('breakfast', 'lunch', 'dinner')"
FOUR_SLOTS = "slot IN ('breakfast', 'lunch', 'dinner', 'snack')"

planned_meal = sa.table("planned_meal", sa.column("slot", sa.String))


def replace_check(condition: str) -> None:
    name = op.f("ck_planned_meal_slot")
    with op.batch_alter_table("planned_meal") as batch_op:
        batch_op.drop_constraint(name, type_="check")
        batch_op.create_check_constraint(name, condition)


def upgrade() -> None:
    replace_check(FOUR_SLOTS)


def downgrade() -> None:
    # Older versions know no snacks; the plan must not lose the meal over it.
    op.execute(
        planned_meal.update()
        .where(planned_meal.c.slot == op.inline_literal("snack"))
        .values(slot=op.inline_literal("lunch"))
    )
    replace_check(THREE_SLOTS)
