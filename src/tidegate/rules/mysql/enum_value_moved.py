"""An ENUM's values are changed other than by adding at the end.

MySQL then copies the table while writes wait, and whatever sorts by the column sorts in the new
order. A value that is removed while a row still has it ends the statement with an error. Add new
values at the end. MariaDB 11.2 and later copy while writes go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import MYSQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "error",
    on=(AlterColumn,),
    vendors=MYSQL,
    until=10,  # MariaDB 11.2 copies while writes go on; no MySQL has such a number
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
        f"{', '.join(change.enum)}: MySQL copies the table, and writes wait meanwhile",
        "keep the old values in their order and add new ones at the end",
    )
