"""add timezone and is_active to location

Revision ID: 7ab34e580d9c
Revises: f6027be4d813
Create Date: 2023-09-19 09:26:58.701443

"""

import sqlalchemy as sa
from alembic import op

revision = "7ab34e580d9c"
down_revision = "f6027be4d813"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("location") as batch_op:
        batch_op.add_column(
            sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False)
        )
        batch_op.add_column(
            sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("location") as batch_op:
        batch_op.drop_column("is_active")
        batch_op.drop_column("timezone")
