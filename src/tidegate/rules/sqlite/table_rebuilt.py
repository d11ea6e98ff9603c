"""SQLite copies the whole table to change it.

Django and Alembic's batch mode make a new table, copy every row, drop the old one and rename. It
takes as long as the table is large, and the database takes no writes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import SQLITE, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, AlterColumn, DropConstraint

RULE = Rule(
    "info",
    on=(AlterColumn, AddConstraint, DropConstraint),
    vendors=SQLITE,
    examples=(
        Example(
            "django",
            vendor="sqlite",
            bad='migrations.AlterField("order", "note", models.CharField(max_length=10, null=True)),',
            good='migrations.AddField("order", "source", models.TextField(null=True)),',
            companions=("type-narrowed",),
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if not (moment.django or moment.operation.batch) or not moment.is_old(change.table):
        return
    if moment.operation.sql:
        return
    yield Hazard(
        f"SQLite makes {change.table} anew and copies every row: the database takes no writes "
        "meanwhile",
        "nothing, where the table is small; otherwise do it while nobody writes",
    )
