"""mark allergens

Revision ID: d8e216f3c750
Revises: 7ab34e580d9c
Create Date: 2023-09-21 17:03:12.586900

"""

import sqlalchemy as sa
from alembic import op

revision = "d8e216f3c750"
down_revision = "7ab34e580d9c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("ingredient") as batch_op:
        batch_op.add_column(
            sa.Column("is_allergen", sa.Boolean(), server_default=sa.false(), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("ingredient") as batch_op:
        batch_op.drop_column("is_allergen")
