"""Long work is done in the transaction that holds an exclusive lock.

Locks are kept until the transaction ends. A short ALTER TABLE is harmless by itself; when an
index build, a validation or a data migration follows in the same transaction, its lock is held
for as long as that takes.

Put the long work into a migration of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Data,
    DropColumn,
    RenameColumn,
    RenameTable,
    ValidateConstraint,
)

RULE = Rule(
    "warning",
    vendors=POSTGRESQL,
    confidence="medium",
    examples=(
        Example(
            "django",
            bad="""migrations.AddField("order", "source", models.TextField(null=True)),
migrations.RunSQL("UPDATE shop_customer SET name = 'n' WHERE name IS NULL", ""),""",
            good="""migrations.AddField("order", "source", models.TextField(null=True)),
# --- next file
migrations.RunSQL("UPDATE shop_customer SET name = 'n' WHERE name IS NULL", ""),""",
            line=2,
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column("source", sa.Text()))
op.execute("UPDATE customer SET name = 'n' WHERE name IS NULL")""",
            good="""op.add_column("orders", sa.Column("source", sa.Text()))
# --- next file
op.execute("UPDATE customer SET name = 'n' WHERE name IS NULL")""",
            line=2,
        ),
    ),
)
EXCLUSIVE = (AddColumn, DropColumn, RenameColumn, AlterColumn, RenameTable, AddConstraint)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    held: dict[int, tuple[str, str]] = {}
    for moment in step.real():
        change, number = moment.change, moment.operation.transaction
        if number == 0:
            continue
        if number in held and _is_long(moment, held[number][0]):
            table, said = held[number]
            yield Hazard(
                f"{_words(moment)} runs while {said} above still holds its lock on {table}: "
                f"{table} is shut for that long",
                "move it into the next migration",
                span=moment.operation.span,
            )
            return
        if isinstance(change, EXCLUSIVE) and moment.is_old(change.table):
            held.setdefault(number, (change.table, moment.operation.said))


def _is_long(moment: Moment, table: str) -> bool:
    change = moment.change
    if isinstance(change, Data):
        other = change.table != table  # the table itself: schema-and-data-together says it
        return change.verb in ("update", "delete") and other and moment.is_old(change.table)
    return isinstance(change, ValidateConstraint) and change.table != table


def _words(moment: Moment) -> str:
    change = moment.change
    if isinstance(change, Data):
        return f"the {change.verb.upper()} of {change.table or 'rows'}"
    return f"validating {change.name}"
