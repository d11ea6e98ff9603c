"""A column that allowed NULL stops to, while the running release may still write NULL.

Each INSERT and UPDATE of the previous release that leaves the column empty fails from that moment
on. First release code that always writes a value, then set NOT NULL.

The rule is silent where a check constraint of an earlier release forbids NULL already.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "warning",
    on=(AlterColumn,),
    confidence="medium",
    companions=("not-null-scans",),
    examples=(
        Example(
            "django",
            bad='migrations.AlterField("order", "note", models.TextField()),',
            good='migrations.AlterField("order", "note", models.TextField(null=True, blank=True)),',
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "note", nullable=False)',
            good='op.alter_column("orders", "reference", nullable=False)',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.nullable is not False or not moment.is_old_column(change.table, change.column):
        return
    if moment.renamed_to(change.table, change.column):
        return  # a copy has taken the place of the column, with what held for it
    table = moment.table(change.table)
    for name, one in (table.constraints if table else {}).items():
        if one.kind == "check" and one.not_null_of == change.column:
            since = table.added_in.get(name, "") if table else ""
            if not moment.step.is_fresh(since):
                return
    yield Hazard(
        f"a write of the previous release that leaves {change.table}.{change.column} empty fails "
        "from now on",
        "first release code that always writes a value; then set NOT NULL in the next release",
    )
