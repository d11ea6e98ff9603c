"""add location and planned_meal

Revision ID: 5e83a7d1c02f
Revises: 1b0f6c2d94ae
Create Date: 2023-04-02 16:48:05.119734

"""

import sqlalchemy as sa
from alembic import op

revision = "5e83a7d1c02f"
down_revision = "1b0f6c2d94ae"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "location",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.CheckConstraint("kind IN ('kitchen', 'canteen')", name=op.f("ck_location_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sa.UniqueConstraint("name", name=op.f("uq_location_name")),
    )
    op.create_table(
        "planned_meal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        sa.Column("slot", sa.String(length=16), nullable=False),
        sa.Column("recipe_id", sa.Integer(), nullable=False),
        sa.Column("location_id", sa.Integer(), nullable=False),
        sa.Column("servings", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "slot IN ('breakfast', 'lunch', 'dinner')", name=op.f("ck_planned_meal_slot")
        ),
        sa.ForeignKeyConstraint(
            ["recipe_id"], ["recipe.id"], name=op.f("fk_planned_meal_recipe_id_recipe")
        ),
        sa.ForeignKeyConstraint(
            ["location_id"], ["location.id"], name=op.f("fk_planned_meal_location_id_location")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_planned_meal")),
    )
    op.create_index(
        op.f("ix_planned_meal_recipe_id"), "planned_meal", ["recipe_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("planned_meal")
    op.drop_table("location")
