"""SQLite refuses a NOT NULL column without a default, even on an empty table.

"Cannot add a NOT NULL column with default value NULL". Give it a server_default, or add it in
batch mode.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import SQLITE, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn

RULE = Rule(
    "error",
    on=(AddColumn,),
    vendors=SQLITE,
    companions=("required-column-without-default",),
    examples=(
        Example(
            "alembic",
            vendor="sqlite",
            applies=False,
            bad='op.add_column("orders", sa.Column("source", sa.String(9), nullable=False))',
            good="""op.add_column("orders", sa.Column(
    "source", sa.String(9), nullable=False, server_default="web"
))""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, column = moment.change, moment.change.column
    if moment.django or moment.operation.batch or column.nullable or column.default:
        return
    yield Hazard(
        f"SQLite refuses {change.table}.{column.name}: NOT NULL needs a default, even while the "
        "table is empty",
        "give it a server_default",
    )
