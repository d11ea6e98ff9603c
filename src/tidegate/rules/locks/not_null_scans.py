"""SET NOT NULL reads the whole table under an exclusive lock.

`ALTER COLUMN ... SET NOT NULL` holds ACCESS EXCLUSIVE while it looks for a NULL in every row.

From PostgreSQL 12 on it looks at nothing when a validated CHECK (column IS NOT NULL) is there:
add that check NOT VALID, validate it in the next migration, set NOT NULL in the one after, and
drop the check.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "error",
    on=(AlterColumn,),
    vendors=POSTGRESQL,
    companions=("null-forbidden",),
    examples=(
        Example(
            "django",
            bad='migrations.AlterField("order", "note", models.TextField()),',
            good="""AddConstraintNotValid(
    "order", models.CheckConstraint(condition=models.Q(note__isnull=False), name="note_set")
),
# --- next file
ValidateConstraint("order", "note_set"),
# --- next file
migrations.AlterField("order", "note", models.TextField()),
migrations.RemoveConstraint("order", "note_set"),""",
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "note", nullable=False)',
            good="""op.create_check_constraint("note_set", "orders", "note IS NOT NULL",
                           postgresql_not_valid=True)
# --- next file
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT note_set")
# --- next file
op.alter_column("orders", "note", nullable=False)
op.drop_constraint("note_set", "orders")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.nullable is not False or not moment.is_old(change.table):
        return
    if moment.proves_not_null(change.table, change.column):
        return
    column = f"{change.table}.{change.column}"
    yield Hazard(
        f"setting {column} NOT NULL reads the whole of {change.table} under ACCESS EXCLUSIVE: "
        "nobody reads or writes it meanwhile",
        f"first CHECK ({change.column} IS NOT NULL) NOT VALID, VALIDATE it in the next migration, "
        "then SET NOT NULL, which finds the check and reads nothing",
    )
