"""split amount: add quantity and unit

First of three: new columns here, their values in e19c4d7a5b08, NOT NULL and
the end of "amount" in 3da8f2607c91.

Revision ID: 82f5b6093ead
Revises: c47d90be1f36
Create Date: 2023-06-20 13:05:57.662390

"""

import sqlalchemy as sa
from alembic import op

revision = "82f5b6093ead"
down_revision = "c47d90be1f36"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recipe_ingredient") as batch_op:
        batch_op.add_column(
            sa.Column("quantity", sa.Numeric(precision=10, scale=3), nullable=True)
        )
        batch_op.add_column(sa.Column("unit", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("recipe_ingredient") as batch_op:
        batch_op.drop_column("unit")
        batch_op.drop_column("quantity")
