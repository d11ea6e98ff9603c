"""plan a recipe once per slot and location

Revision ID: a7f43c05e91b
Revises: 60d9a1cf4e82
Create Date: 2024-05-15 10:49:15.203988

"""

from alembic import op

revision = "a7f43c05e91b"
down_revision = "60d9a1cf4e82"
branch_labels = None
depends_on = None

UNIQUE = "uq_planned_meal_location_id_planned_on_slot_recipe_id"


def upgrade() -> None:
    # The first of several equal meals gets the servings of all of them.
    same = (
        "other.location_id = planned_meal.location_id"
        " AND other.planned_on = planned_meal.planned_on"
        " AND other.slot = planned_meal.slot"
        " AND other.recipe_id = planned_meal.recipe_id"
    )
    op.execute(
        "UPDATE planned_meal SET servings ="
        f" (SELECT sum(other.servings) FROM planned_meal AS other WHERE {same})"
        " WHERE EXISTS"
        f" (SELECT 1 FROM planned_meal AS other WHERE {same} AND other.id > planned_meal.id)"
        " AND NOT EXISTS"
        f" (SELECT 1 FROM planned_meal AS other WHERE {same} AND other.id < planned_meal.id)"
    )
    op.execute(
        "DELETE FROM planned_meal WHERE EXISTS"
        f" (SELECT 1 FROM planned_meal AS other WHERE {same} AND other.id < planned_meal.id)"
    )
    with op.batch_alter_table("planned_meal") as batch_op:
        batch_op.create_unique_constraint(
            op.f(UNIQUE), ["location_id", "planned_on", "slot", "recipe_id"]
        )


def downgrade() -> None:
    with op.batch_alter_table("planned_meal") as batch_op:
        batch_op.drop_constraint(op.f(UNIQUE), type_="unique")
