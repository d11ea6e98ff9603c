"""A constraint is added NOT VALID and validated in the same transaction.

Adding it takes ACCESS EXCLUSIVE (a check) or SHARE ROW EXCLUSIVE (a foreign key), and locks are
kept until the transaction ends: the validation then reads the whole table under that lock, as if
NOT VALID had not been said. Validate in the next migration.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, ValidateConstraint

RULE = Rule(
    "error",
    on=(ValidateConstraint,),
    vendors=POSTGRESQL,
    companions=("stricter-than-old-writes",),
    examples=(
        Example(
            "django",
            bad="""AddConstraintNotValid(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="total_positive")
),
ValidateConstraint("order", "total_positive"),""",
            good="""AddConstraintNotValid(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="total_positive")
),
# --- next file
ValidateConstraint("order", "total_positive"),""",
            line=4,
        ),
        Example(
            "alembic",
            bad="""op.create_check_constraint("total_positive", "orders", "total >= 0",
                           postgresql_not_valid=True)
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT total_positive")""",
            good="""op.create_check_constraint("total_positive", "orders", "total >= 0",
                           postgresql_not_valid=True)
# --- next file
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT total_positive")""",
            line=3,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, number = moment.change, moment.operation.transaction
    if number == 0 or not moment.is_old(change.table):
        return
    for one in moment.step.moments:
        if one is moment:
            return
        added = one.change
        if not isinstance(added, AddConstraint) or added.constraint.name != change.name:
            continue
        if one.operation.transaction == number:
            yield Hazard(
                f"{change.name} is validated while the lock from adding it is still held: the "
                f"whole of {change.table} is read with the table shut",
                "validate it in the next migration",
            )
            return
