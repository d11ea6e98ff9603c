"""An exclusion constraint is built under an exclusive lock, and there is no other way.

`ADD CONSTRAINT ... EXCLUDE` holds ACCESS EXCLUSIVE while it builds its index. It can't be NOT
VALID, and it can't use an index that was built CONCURRENTLY.

Create it with the table, or copy the rows into a new table that has it, or do it while nobody
uses the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint

RULE = Rule(
    "error",
    on=(AddConstraint,),
    vendors=POSTGRESQL,
    companions=("stricter-than-old-writes",),
    examples=(
        Example(
            "django",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_order ADD CONSTRAINT order_apart EXCLUDE USING btree (reference WITH =)",
    "ALTER TABLE shop_order DROP CONSTRAINT order_apart",
),""",
            good="""migrations.RunSQL(
    "CREATE TABLE shop_room (number int, EXCLUDE USING btree (number WITH =))",
    "DROP TABLE shop_room",
),""",
        ),
        Example(
            "alembic",
            bad="""op.execute(
    "ALTER TABLE orders ADD CONSTRAINT apart EXCLUDE USING btree (reference WITH =)"
)""",
            good='op.execute("CREATE TABLE room (number int, EXCLUDE USING btree (number WITH =))")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.constraint.kind != "exclude" or not moment.is_old(change.table):
        return
    yield Hazard(
        f"adding {change.constraint.name or 'the exclusion constraint'} builds an index over the "
        f"whole of {change.table} under ACCESS EXCLUSIVE: nobody reads or writes it meanwhile",
        "there is no online way: create it with a new table and move the rows, or do it while "
        f"nobody uses {change.table}",
    )
