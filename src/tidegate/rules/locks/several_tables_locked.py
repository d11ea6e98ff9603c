"""One transaction locks several tables in use.

Each ALTER TABLE keeps its lock until the transaction ends, so the first table stays shut while
the migration queues for the second; two migrations, or the application, that take them in
another order make a deadlock. One migration a table.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    DropColumn,
    DropConstraint,
    RenameColumn,
    RenameTable,
)

RULE = Rule(
    "info",
    vendors=POSTGRESQL,
    confidence="medium",
    examples=(
        Example(
            "django",
            bad="""migrations.AddField("customer", "phone", models.TextField(null=True)),
migrations.AddField("order", "phone", models.TextField(null=True)),""",
            good="""migrations.AddField("customer", "phone", models.TextField(null=True)),
# --- next file
migrations.AddField("order", "phone", models.TextField(null=True)),""",
            line=2,
        ),
        Example(
            "alembic",
            bad="""op.add_column("customer", sa.Column("phone", sa.Text()))
op.add_column("orders", sa.Column("phone", sa.Text()))""",
            good="""op.add_column("customer", sa.Column("phone", sa.Text()))
# --- next file
op.add_column("orders", sa.Column("phone", sa.Text()))""",
            line=2,
        ),
    ),
)
LOCKS = (
    AddColumn,
    DropColumn,
    RenameColumn,
    AlterColumn,
    AddConstraint,
    DropConstraint,
    RenameTable,
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    held: dict[int, list[str]] = {}
    for moment in step.real():
        change, number = moment.change, moment.operation.transaction
        if number == 0 or not isinstance(change, LOCKS) or not moment.is_old(change.table):
            continue
        tables = held.setdefault(number, [])
        if tables and change.table not in tables:
            yield Hazard(
                f"{tables[0]} stays locked while this waits for {change.table}",
                "give each table a migration of its own",
                span=moment.operation.span,
            )
            return
        tables.append(change.table)
