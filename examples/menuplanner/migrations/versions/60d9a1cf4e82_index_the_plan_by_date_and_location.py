"""index the plan by date and location

Revision ID: 60d9a1cf4e82
Revises: b25e8d36a07f
Create Date: 2024-02-06 14:11:30.927465

"""

from alembic import op

revision = "60d9a1cf4e82"
down_revision = "b25e8d36a07f"
branch_labels = None
depends_on = None

INDEX = "ix_planned_meal_planned_on_location_id"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        # Without blocking writers. A build that failed leaves an invalid index
        # behind, hence the drop first.
        with op.get_context().autocommit_block():
            op.drop_index(
                op.f(INDEX),
                table_name="planned_meal",
                if_exists=True,
                postgresql_concurrently=True,
            )
            op.create_index(
                op.f(INDEX),
                "planned_meal",
                ["planned_on", "location_id"],
                unique=False,
                postgresql_concurrently=True,
            )
    else:
        op.create_index(
            op.f(INDEX), "planned_meal", ["planned_on", "location_id"], unique=False
        )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.drop_index(
                op.f(INDEX),
                table_name="planned_meal",
                if_exists=True,
                postgresql_concurrently=True,
            )
    else:
        op.drop_index(op.f(INDEX), table_name="planned_meal")
