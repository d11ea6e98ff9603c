"""merge tags and locations

Revision ID: 4c71f09a8be5
Revises: 09c5d1e7fa42, d8e216f3c750
Create Date: 2023-09-25 08:58:44.012376

"""

revision = "4c71f09a8be5"
down_revision = ("09c5d1e7fa42", "d8e216f3c750")
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
