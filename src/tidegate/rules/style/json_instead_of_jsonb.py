"""A column is json rather than jsonb.

`json` keeps the text: it has no equality (SELECT DISTINCT and GROUP BY fail), no useful index, and
is parsed at each access.
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
            bad='op.add_column("orders", sa.Column("extra", sa.JSON()))',
            good="""from sqlalchemy.dialects.postgresql import JSONB

op.add_column("orders", sa.Column("extra", JSONB()))""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    columns = change.columns if isinstance(change, CreateTable) else (change.column,)
    for one in columns:
        if one.type == "json":
            yield Hazard(
                f"{change.table}.{one.name} is json: it has no equality and no useful index",
                "make it jsonb: postgresql.JSONB()",
            )
