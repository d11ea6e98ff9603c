"""baseline for 1.0

Squashed for the 1.0 release: this file takes the place of the seven revisions
written before it (d1a7c94e6f20 to 1b0f6c2d94ae) and creates the schema they
led to. It keeps the id of the last of them on purpose: a database migrated
with 0.x.y is stamped 1b0f6c2d94ae already and goes on from here, a new one
starts here. A database older than that must go through 0.9.4 first.

Revision ID: 1b0f6c2d94ae
Revises: 
Create Date: 2023-03-14 09:12:41.507218

"""

import sqlalchemy as sa
from alembic import op

revision = "1b0f6c2d94ae"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ingredient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingredient")),
        sa.UniqueConstraint("name", name=op.f("uq_ingredient_name")),
    )
    op.create_table(
        "recipe",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("instructions", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipe")),
    )
    op.create_table(
        "recipe_ingredient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recipe_id", sa.Integer(), nullable=False),
        sa.Column("ingredient_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["recipe_id"],
            ["recipe.id"],
            name=op.f("fk_recipe_ingredient_recipe_id_recipe"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ingredient_id"],
            ["ingredient.id"],
            name=op.f("fk_recipe_ingredient_ingredient_id_ingredient"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipe_ingredient")),
    )
    op.create_index(
        op.f("ix_recipe_ingredient_recipe_id"), "recipe_ingredient", ["recipe_id"], unique=False
    )
    op.create_index(
        op.f("ix_recipe_ingredient_ingredient_id"),
        "recipe_ingredient",
        ["ingredient_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("recipe_ingredient")
    op.drop_table("recipe")
    op.drop_table("ingredient")
