"""An ENUM's values are changed other than by adding at the end.

MySQL then copies the table, and rows keep their number and so change their meaning when a value is
put in between or removed. Add new values at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import MYSQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "error",
    on=(AlterColumn,),
    vendors=MYSQL,
    examples=(
        Example(
            "alembic",
            vendor="mysql",
            before='op.add_column("orders", sa.Column("state", sa.Enum("new", "paid", name="state")))',
            bad='op.alter_column("orders", "state", type_=sa.Enum("paid", "new", name="state"))',
            good='op.alter_column("orders", "state", type_=sa.Enum("new", "paid", "sent", name="state"))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    before = change.before.enum if change.before else ()
    if not before or not change.enum or change.enum[: len(before)] == before:
        return
    yield Hazard(
        f"the values of {change.table}.{change.column} change from {', '.join(before)} to "
        f"{', '.join(change.enum)}: MySQL copies the table, and a value may come to mean another",
        "keep the old values in their order and add new ones at the end",
    )
