"""A column gets another name while the running release uses the old one.

Every query of the previous release that names the column fails from that moment on.

Keep the column: Django's `db_column` and SQLAlchemy's `Column("old_name", key=...)` rename it in
the code alone. Or expand and contract: add the new column, write both, fill, read the new one,
drop the old one in a later release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import RenameColumn

RULE = Rule(
    "error",
    on=(RenameColumn,),
    examples=(
        Example(
            "django",
            bad='migrations.RenameField("order", "note", "remark"),',
            good="""migrations.AlterField("order", "note", models.TextField(null=True, db_column="note")),
migrations.RenameField("order", "note", "remark"),""",
        ),
        Example(
            "alembic",
            bad='op.alter_column("orders", "note", new_column_name="remark")',
            good='op.add_column("orders", sa.Column("remark", sa.Text()))',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if not moment.is_old_column(change.table, change.column):
        return
    yield Hazard(
        f"{change.table}.{change.column} becomes {change.new} while the previous release still "
        "asks for the old name: its queries fail until the new release is up",
        moment.say(
            f'keep the column with db_column="{change.column}" on the field, or add {change.new} '
            "beside it, write both, and drop the old one in a later release",
            f'keep the column as mapped_column("{change.column}") under the new name, or add '
            f"{change.new} beside it, write both, and drop the old one in a later release",
        ),
    )
