"""A timestamp column knows no time zone.

Its values mean another moment to each client with another zone. Use `timestamptz`
(`DateTime(timezone=True)`).
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn, CreateTable

RULE = Rule(
    "info",
    on=(AddColumn, CreateTable),
    vendors=POSTGRESQL,
    opt_in=True,
    examples=(
        Example(
            "alembic",
            bad='op.add_column("orders", sa.Column("seen", sa.DateTime()))',
            good='op.add_column("orders", sa.Column("seen", sa.DateTime(timezone=True)))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    columns = change.columns if isinstance(change, CreateTable) else (change.column,)
    for one in columns:
        if one.type.partition("(")[0] == "timestamp":
            yield Hazard(
                f"{change.table}.{one.name} is a timestamp without time zone: it means another moment "
                "to each client with another zone",
                "make it timestamptz: DateTime(timezone=True)",
            )
