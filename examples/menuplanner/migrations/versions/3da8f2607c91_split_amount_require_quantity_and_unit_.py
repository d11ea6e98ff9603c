"""split amount: require quantity and unit, drop amount

Revision ID: 3da8f2607c91
Revises: e19c4d7a5b08
Create Date: 2023-06-27 08:40:33.275509

"""

import sqlalchemy as sa
from alembic import op

revision = "3da8f2607c91"
down_revision = "e19c4d7a5b08"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("recipe_ingredient") as batch_op:
        batch_op.alter_column(
            "quantity", existing_type=sa.Numeric(precision=10, scale=3), nullable=False
        )
        batch_op.alter_column("unit", existing_type=sa.String(length=64), nullable=False)
        batch_op.drop_column("amount")


def downgrade() -> None:
    # e19c4d7a5b08 fills "amount" again and makes it NOT NULL on its way down.
    with op.batch_alter_table("recipe_ingredient") as batch_op:
        batch_op.add_column(sa.Column("amount", sa.String(length=64), nullable=True))
        batch_op.alter_column("unit", existing_type=sa.String(length=64), nullable=True)
        batch_op.alter_column(
            "quantity", existing_type=sa.Numeric(precision=10, scale=3), nullable=True
        )
