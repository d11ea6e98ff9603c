"""A check constraint is tested on every row under an exclusive lock.

`ADD CONSTRAINT ... CHECK` holds ACCESS EXCLUSIVE while it reads the whole table: nobody reads or
writes until it is through. So does a CHECK that comes with a new column, be that empty in every
row, and the one of Django's PositiveIntegerField and its kin.

Add it NOT VALID, which is immediate and holds for new rows, and VALIDATE it in a later
transaction, which lets reads and writes pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint

RULE = Rule(
    "error",
    on=(AddConstraint,),
    vendors=POSTGRESQL,
    fixable=True,
    examples=(
        Example(
            "django",
            bad="""migrations.AddConstraint(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="order_total_positive")
),""",
            good="""AddConstraintNotValid(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="order_total_positive")
),
# --- next file
ValidateConstraint("order", "order_total_positive"),""",
            companions=("stricter-than-old-writes",),
        ),
        Example(
            "alembic",
            bad='op.create_check_constraint("total_positive", "orders", "total >= 0")',
            good="""op.create_check_constraint("total_positive", "orders", "total >= 0",
                           postgresql_not_valid=True)
# --- next file
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT total_positive")""",
            companions=("stricter-than-old-writes",),
        ),
        Example(
            "django",
            bad='migrations.AlterField("order", "total", models.PositiveIntegerField(null=True)),',
            good="""AddConstraintNotValid(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="order_total_positive")
),
# --- next file
ValidateConstraint("order", "order_total_positive"),""",
            companions=("stricter-than-old-writes",),
            mended=False,
        ),
        Example(
            "alembic",
            bad="""op.add_column(
    "orders", sa.Column("weight", sa.Integer(), sa.CheckConstraint("weight > 0"))
)""",
            good="""op.add_column("orders", sa.Column("weight", sa.Integer()))
op.create_check_constraint("weight_positive", "orders", "weight > 0", postgresql_not_valid=True)
# --- next file
op.execute("ALTER TABLE orders VALIDATE CONSTRAINT weight_positive")""",
            mended=False,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.constraint.kind != "check" or not change.constraint.valid:
        return
    if not moment.is_old(change.table):
        return
    name = change.constraint.name or "the check"
    if change.why.endswith("Field"):
        yield _of_field(moment, change.why)
        return
    yield Hazard(
        f"adding {name} reads the whole of {change.table} under ACCESS EXCLUSIVE: nobody reads or "
        "writes it meanwhile",
        moment.say(
            "use AddConstraintNotValid, and ValidateConstraint in the next migration",
            "give it postgresql_not_valid=True, and VALIDATE CONSTRAINT in the next revision"
            if not change.why
            else "add the column without it, then create_check_constraint with "
            "postgresql_not_valid=True, and VALIDATE CONSTRAINT in the next revision",
            "end it with NOT VALID, and VALIDATE CONSTRAINT in the next migration"
            if not change.why
            else "add the column without it, then the CHECK as a constraint that ends with NOT "
            "VALID, and VALIDATE CONSTRAINT in the next migration",
        ),
        mendable=not change.why,
    )


def _of_field(moment: Moment, field: str) -> Hazard:
    change = moment.change
    column = ", ".join(change.constraint.columns)
    plain = field.removeprefix("Positive")
    return Hazard(
        f"{field} adds CHECK ({column} >= 0), which reads the whole of {change.table} under ACCESS "
        "EXCLUSIVE: nobody reads or writes it meanwhile",
        f"keep {column} as {plain} and add CheckConstraint({column}__gte=0) with "
        "AddConstraintNotValid, and ValidateConstraint in the next migration",
        mendable=False,
    )
