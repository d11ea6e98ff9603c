"""Something is dropped with all that hangs on it.

CASCADE also drops views, foreign keys and columns of other tables that depend on it, without
naming them. Drop those by name first; then the drop needs no CASCADE.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import DropColumn, DropConstraint, DropTable, Statement

RULE = Rule(
    "error",
    on=(DropTable, DropColumn, DropConstraint, Statement),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE TABLE shop_old (id int)", "DROP TABLE shop_old"
),""",
            bad='migrations.RunSQL("DROP TABLE shop_old CASCADE", migrations.RunSQL.noop),',
            good="""migrations.SeparateDatabaseAndState(
    state_operations=[migrations.DeleteModel("Customer")],
),""",
            companions=("table-dropped",),
        ),
        Example(
            "alembic",
            bad='op.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE")',
            good='op.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, Statement):
        if change.detail != "cascade" or not change.verb.startswith("drop-"):
            return
        name = change.name
    else:
        if not change.cascade or not moment.is_old(change.table):
            return
        name = change.table
    yield Hazard(
        f"CASCADE drops whatever depends on {name} as well, without naming it",
        "drop what depends on it by name first, and leave CASCADE out",
    )
