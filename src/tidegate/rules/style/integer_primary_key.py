"""A primary key has 32 bits.

It ends at 2,147,483,647, and widening it later writes the table and every table that points to it
anew. Use `bigint` (`BigAutoField`, `BigInteger`) from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import CreateTable

RULE = Rule(
    "info",
    on=(CreateTable,),
    opt_in=True,
    examples=(
        Example(
            "django",
            bad='migrations.CreateModel("Tag", [("id", models.AutoField(primary_key=True))]),',
            good='migrations.CreateModel("Tag", [("id", models.BigAutoField(primary_key=True))]),',
        ),
        Example(
            "alembic",
            bad='op.create_table("tag", sa.Column("id", sa.Integer(), primary_key=True))',
            good='op.create_table("tag", sa.Column("id", sa.BigInteger(), primary_key=True))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    for one in change.columns:
        if one.primary_key and one.identity and one.type in ("integer", "smallint"):
            yield Hazard(
                f"{change.table}.{one.name} counts to 2,147,483,647 at most"
                if one.type == "integer"
                else f"{change.table}.{one.name} counts to 32,767 at most",
                "make it bigint from the beginning: "
                + moment.say("BigAutoField", "sa.BigInteger()"),
            )
