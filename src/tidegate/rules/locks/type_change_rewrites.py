"""A column gets another type, and the table is written anew under an exclusive lock.

`ALTER COLUMN ... TYPE` copies the whole table and builds all its indexes again under ACCESS
EXCLUSIVE, unless the old values can stay as they are: a longer varchar, varchar to text, more
digits of a numeric with the same scale. Those are told apart by the column's type before.

Add a column of the new type, keep both in step, fill it in batches, move the code over, and drop
the old one in a later release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model import sqltype
from tidegate.model.operation import AlterColumn

RULE = Rule(
    "error",
    on=(AlterColumn,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad='migrations.AlterField("order", "total", models.BigIntegerField(null=True)),',
            good="""migrations.AlterField("order", "reference", models.CharField(max_length=80)),
migrations.AlterField("customer", "name", models.TextField(null=True)),""",
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "total", type_=sa.BigInteger())',
            good="""op.alter_column("orders", "reference", type_=sa.String(80))
op.alter_column("customer", "name", type_=sa.Text())""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.type is None or not moment.is_old(change.table):
        return
    column = f"{change.table}.{change.column}"
    before = change.before.type if change.before else ""
    what = "rewrite" if change.collation else sqltype.change(before, change.type)
    if change.using and what != "rewrite":
        what = "rewrite"
    remedy = (
        f"add a second column of type {change.type or 'the new type'}, fill it in batches, move "
        "the code over, and drop the old one in a later release"
    )
    if what == "rewrite":
        yield Hazard(
            f"changing {column} from {before or 'its type'} to {change.type} writes the whole of "
            f"{change.table} and its indexes anew under ACCESS EXCLUSIVE",
            remedy,
        )
    elif what == "unknown" and not _framework_only(before, change.type):
        yield Hazard(
            f"changing {column} to {change.type.lstrip('?') or 'another type'} may write the whole "
            f"of {change.table} anew: its type before "
            + (f"({before.lstrip('?')}) is not one that is known" if before else "is not known"),
            "rehearse it with `tidegate plan`, which sees whether the table is rewritten",
            severity="info",
            confidence="low",
        )


def _framework_only(before: str, after: str) -> bool:
    """Whether nothing can be told on either side: two of the project's own field classes."""
    return before.startswith("?") and after == ""
