"""MySQL copies the table, and writes wait.

A changed column type, a dropped primary key and a converted character set need ALGORITHM=COPY:
writes wait until every row has been copied. Use gh-ost or pt-online-schema-change for a large
table, or expand and contract. MariaDB 11.2 and later copy while writes go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import MYSQL, Example, Hazard, Moment, Rule
from tidegate.model import sqltype
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
            bad='op.alter_column("orders", "total", type_=sa.BigInteger(), existing_type=sa.Integer())',
            good="""op.alter_column(
    "orders", "reference", type_=sa.String(60), existing_type=sa.String(40), existing_nullable=False
)""",
        ),
        Example(
            "django",
            vendor="mysql",
            bad='migrations.AlterField("order", "total", models.BigIntegerField(null=True)),',
            good='migrations.AlterField("order", "reference", models.CharField(max_length=60)),',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.type is None or not moment.is_old(change.table):
        return
    before = change.before.type if change.before else ""
    what = sqltype.change(before, change.type)
    if what == "same" or (what == "free" and _same_length_bytes(before, change.type)):
        return
    if what == "unknown":
        return
    yield Hazard(
        f"changing {change.table}.{change.column} from {before} to {change.type} copies the whole of "
        f"{change.table}: writes wait meanwhile",
        "use gh-ost or pt-online-schema-change where the table is large, or add a second column and "
        "move over to it",
    )


def _same_length_bytes(old: str, new: str) -> bool:
    """A varchar grows in place while its length still takes as many bytes (255, with utf8mb4 63)."""
    (_, a), (kind, b) = sqltype.parts(old), sqltype.parts(new)
    if kind != "varchar" or not a or not b:
        return False
    return (a[0] * 4 < 256) == (b[0] * 4 < 256)
