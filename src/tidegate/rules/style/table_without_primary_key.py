"""A table has no primary key.

Its rows can't be told apart: logical replication refuses UPDATE and DELETE on it, batches have
nothing to go by, and duplicates can't be removed one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import CreateTable

RULE = Rule(
    "info",
    on=(CreateTable,),
    opt_in=True,
    examples=(
        Example(
            "alembic",
            bad='op.create_table("tag", sa.Column("name", sa.Text()))',
            good='op.create_table("tag", sa.Column("name", sa.Text(), primary_key=True))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    keyed = any(one.primary_key for one in change.columns)
    keyed = keyed or any(one.kind == "primary-key" for one in change.constraints)
    if change.columns and not keyed:
        yield Hazard(
            f"the rows of {change.table} can't be told apart",
            "give it a primary key",
        )
