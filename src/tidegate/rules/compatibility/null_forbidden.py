"""A column that allowed NULL stops to, while the running release may still write NULL.

Each INSERT and UPDATE of the previous release that leaves the column empty fails from that moment
on. First release code that always writes a value, then set NOT NULL.

A CHECK (column IS NOT NULL) forbids NULL from the moment it is added, NOT VALID or not; where one is
there already, SET NOT NULL changes nothing for the previous release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, AlterColumn

RULE = Rule(
    "warning",
    on=(AlterColumn, AddConstraint),
    confidence="medium",
    examples=(
        Example(
            "django",
            bad='migrations.AlterField("order", "note", models.TextField()),',
            good='migrations.AlterField("order", "note", models.TextField(null=True, blank=True)),',
            companions=("not-null-scans",),
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "note", nullable=False)',
            good='op.alter_column("orders", "reference", nullable=False)',
            companions=("not-null-scans",),
        ),
        Example(
            "alembic",
            bad="""op.create_check_constraint("note_set", "orders", "note IS NOT NULL",
                           postgresql_not_valid=True)""",
            good="""op.create_check_constraint("has_reference", "orders", "reference IS NOT NULL",
                           postgresql_not_valid=True)""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, AddConstraint):
        column = change.constraint.not_null_of
    else:
        column = change.column if change.nullable is False else ""
    if not column or not moment.is_old_column(change.table, column):
        return
    if moment.renamed_to(change.table, column):
        return  # a copy has taken the place of the column, with what held for it
    table = moment.table(change.table)
    found = table.columns.get(column) if table else None
    if isinstance(change, AddConstraint) and found is not None and not found.nullable:
        return
    if any(one.not_null_of == column for one in (table.constraints if table else {}).values()):
        return  # it forbids NULL already, and was said to
    yield Hazard(
        f"a write of the previous release that leaves {change.table}.{column} empty fails "
        "from now on",
        "first release code that always writes a value; then forbid NULL in the next release"
        if isinstance(change, AddConstraint)
        else "first release code that always writes a value; then set NOT NULL in the next release",
    )
