"""SQLite can't alter a column or a constraint in place.

Alembic then fails with "No support for ALTER of constraints in SQLite dialect". In batch mode it
makes a new table, copies the rows and swaps: `with op.batch_alter_table("table") as batch_op:`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import SQLITE, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, AlterColumn, DropConstraint

RULE = Rule(
    "error",
    on=(AlterColumn, AddConstraint, DropConstraint),
    vendors=SQLITE,
    examples=(
        Example(
            "alembic",
            vendor="sqlite",
            applies=False,
            bad='op.create_unique_constraint("reference_once", "orders", ["reference"])',
            good="""with op.batch_alter_table("orders") as batch_op:
    batch_op.create_unique_constraint("reference_once", ["reference"])""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, operation = moment.change, moment.operation
    if moment.django or operation.batch or operation.sql or getattr(change, "why", ""):
        return
    yield Hazard(
        f"SQLite can't do {operation.said} on {change.table} in place: Alembic refuses it",
        f'write it inside `with op.batch_alter_table("{change.table}") as batch_op:`',
    )
