"""Adding a foreign key copies the table, and writes wait.

MySQL adds a foreign key in place only while `foreign_key_checks` is off, which leaves old rows
unchecked. MariaDB 11.2 and later copy while writes go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import MYSQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint

RULE = Rule(
    "error",
    on=(AddConstraint,),
    vendors=MYSQL,
    until=10,  # MariaDB 11.2 copies while writes go on; no MySQL has such a number
    examples=(
        Example(
            "alembic",
            vendor="mysql",
            bad='op.create_foreign_key("fk", "orders", "customer", ["total"], ["id"])',
            good='op.create_table("bill", sa.Column("o", sa.BigInteger(), sa.ForeignKey("orders.id")))',
            applies=False,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.constraint.kind == "foreign-key" and moment.is_old(change.table):
        yield Hazard(
            f"adding the foreign key copies the whole of {change.table}: writes wait meanwhile",
            "do it while nobody writes, or through gh-ost or pt-online-schema-change",
        )
