"""A name is longer than PostgreSQL keeps.

Names are cut to 63 bytes without an error: two long names may become one, and a later migration
looks for a name that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    CreateTable,
    RenameColumn,
    RenameTable,
)

RULE = Rule(
    "warning",
    on=(AddIndex, AddConstraint, CreateTable, AddColumn, RenameTable, RenameColumn),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad='migrations.AddField("order", "a", models.TextField(null=True, db_column="a" * 64)),',
            good='migrations.AddField("order", "a", models.TextField(null=True, db_column="a" * 63)),',
        ),
        Example(
            "alembic",
            bad='op.add_column("orders", sa.Column("a" * 64, sa.Text()))',
            good='op.add_column("orders", sa.Column("a" * 63, sa.Text()))',
        ),
    ),
)
LONGEST = 63


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, AddIndex):
        name = "" if change.why else change.made.name
    elif isinstance(change, AddConstraint):
        name = change.constraint.name
    elif isinstance(change, RenameTable | RenameColumn):
        name = change.new
    elif isinstance(change, AddColumn):
        name = change.column.name
    else:
        name = change.table.rpartition(".")[2]
    if len(name.encode()) > LONGEST:
        yield Hazard(
            f"{name} is {len(name.encode())} bytes long: PostgreSQL cuts it to "
            f"{name.encode()[:LONGEST].decode(errors='ignore')} without a word",
            f"choose a name of at most {LONGEST} bytes",
        )
