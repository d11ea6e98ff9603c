"""add prep_minutes and servings to recipe

Revision ID: c47d90be1f36
Revises: 5e83a7d1c02f
Create Date: 2023-05-11 10:31:22.840061

"""

import sqlalchemy as sa
from alembic import op

revision = "c47d90be1f36"
down_revision = "5e83a7d1c02f"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.add_column(sa.Column("prep_minutes", sa.Integer(), nullable=True))
        batch_op.add_column(
            sa.Column("servings", sa.Integer(), server_default="1", nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.drop_column("servings")
        batch_op.drop_column("prep_minutes")
