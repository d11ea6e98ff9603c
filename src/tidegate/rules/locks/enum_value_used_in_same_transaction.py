"""A new enum value is used in the transaction that adds it.

PostgreSQL refuses it: "unsafe use of new value". The value can be used once the transaction that
added it has committed: put the ALTER TYPE into a migration of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterType, Data

RULE = Rule(
    "error",
    on=(AlterType,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE TYPE mood AS ENUM ('good'); ALTER TABLE shop_order ADD COLUMN mood mood",
    "ALTER TABLE shop_order DROP COLUMN mood; DROP TYPE mood",
),""",
            bad="""migrations.RunSQL("ALTER TYPE mood ADD VALUE 'bad'", ""),
migrations.RunSQL("ALTER TABLE shop_order ALTER COLUMN mood SET DEFAULT 'bad'", ""),
migrations.RunSQL("INSERT INTO shop_customer (email, name) VALUES ('bad', 'x')", ""),""",
            good="""migrations.RunSQL("ALTER TYPE mood ADD VALUE 'bad'", ""),
# --- next file
migrations.RunSQL("UPDATE shop_order SET mood = 'bad' WHERE total < 0", ""),""",
            applies=False,
        ),
        Example(
            "alembic",
            before="""op.execute("CREATE TYPE mood AS ENUM ('good')")
op.execute("ALTER TABLE orders ADD COLUMN mood mood")""",
            bad="""op.execute("ALTER TYPE mood ADD VALUE 'bad'")
op.execute("UPDATE orders SET mood = 'bad' WHERE total < 0")""",
            good="""op.execute("ALTER TYPE mood ADD VALUE 'bad'")
# --- next file
op.execute("UPDATE orders SET mood = 'bad' WHERE total < 0")""",
            applies=False,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, number = moment.change, moment.operation.transaction
    if change.what != "add" or number == 0 or change.name not in moment.types:
        return
    if moment.step.is_fresh(moment.types_made_in.get(change.name, "")):
        return
    after = False
    for one in moment.step.moments:
        if one is moment:
            after = True
        elif after and one.operation.transaction == number and _uses(one, change.value):
            yield Hazard(
                f"the value '{change.value}' of {change.name} is used in the transaction that adds "
                "it: PostgreSQL refuses that",
                "add the value in a migration of its own, and use it in the next one",
            )
            return


def _uses(moment: Moment, value: str) -> bool:
    change = moment.change
    if isinstance(change, Data):
        return value in change.values
    return f"'{value}'" in moment.operation.sql and not isinstance(change, AlterType)
