"""recipes serve four by default

Revision ID: 2e9b7658d0c4
Revises: a7f43c05e91b
Create Date: 2024-09-02 09:07:52.471130

"""

import sqlalchemy as sa
from alembic import op

revision = "2e9b7658d0c4"
down_revision = "a7f43c05e91b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.alter_column(
            "servings",
            existing_type=sa.Integer(),
            existing_nullable=False,
            existing_server_default="1",
            server_default="4",
        )


def downgrade() -> None:
    with op.batch_alter_table("recipe") as batch_op:
        batch_op.alter_column(
            "servings",
            existing_type=sa.Integer(),
            existing_nullable=False,
            existing_server_default="4",
            server_default="1",
        )
