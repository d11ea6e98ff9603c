"""A type that only grows makes PostgreSQL prove the column's checks again.

A longer varchar needs no new table, and with an index not even a new index. But each CHECK that
names the column is tested on every row once more, under ACCESS EXCLUSIVE.

Drop the check in the same transaction, before the change, and add it NOT VALID after it; VALIDATE
it in a later one, which lets reads and writes pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model import sqltype
from tidegate.model.operation import AlterColumn, Constraint

RULE = Rule(
    "error",
    on=(AlterColumn,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.AddConstraint(
    "order", models.CheckConstraint(condition=~models.Q(reference=""), name="has_reference")
),""",
            bad='migrations.AlterField("order", "reference", models.CharField(max_length=90)),',
            good="""migrations.RemoveConstraint("order", "has_reference"),
migrations.AlterField("order", "reference", models.CharField(max_length=90)),
AddConstraintNotValid(
    "order", models.CheckConstraint(condition=~models.Q(reference=""), name="has_reference")
),
# --- next file
ValidateConstraint("order", "has_reference"),""",
        ),
        Example(
            "alembic",
            before="""op.create_check_constraint("has_reference", "orders", "reference <> ''")""",
            bad='op.alter_column("orders", "reference", type_=sa.String(90))',
            good="""op.drop_constraint("has_reference", "orders")
op.alter_column("orders", "reference", type_=sa.String(90))
op.create_check_constraint("has_reference", "orders", "reference <> ''",
                           postgresql_not_valid=True)
# --- next file
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT has_reference")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    table = moment.table(change.table)
    before = change.before.type if change.before else ""
    if table is None or change.type is None or not moment.is_old(change.table):
        return
    if change.using or sqltype.change(before, change.type) != "free":
        return  # every row is written, or none is looked at
    names = [
        one.name or "its check"
        for one in table.constraints.values()
        if one.kind == "check" and one.valid and _is_about(one, change.column)
    ]
    if names:
        yield Hazard(
            f"changing {change.table}.{change.column} from {before} to {change.type} tests "
            f"{' and '.join(names)} on every row of {change.table} again, under ACCESS EXCLUSIVE: "
            "nobody reads or writes it meanwhile",
            f"in the same transaction drop {' and '.join(names)} before and add it NOT VALID "
            "afterwards; VALIDATE it in the next migration",
        )


def _is_about(one: Constraint, column: str) -> bool:
    return column in one.columns or re.search(rf"\b{re.escape(column)}\b", one.text) is not None
