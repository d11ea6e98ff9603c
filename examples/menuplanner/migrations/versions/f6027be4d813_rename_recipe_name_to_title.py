"""rename recipe.name to title

Revision ID: f6027be4d813
Revises: 3da8f2607c91
Create Date: 2023-08-09 11:17:46.938152

"""

import sqlalchemy as sa
from alembic import op

revision = "f6027be4d813"
down_revision = "3da8f2607c91"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.alter_column(
            "name", new_column_name="title", existing_type=sa.String(length=200)
        )


def downgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.alter_column(
            "title", new_column_name="name", existing_type=sa.String(length=200)
        )
