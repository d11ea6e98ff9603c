"""A column gets another name while the running release uses the old one.

Every query of the previous release that names the column fails from that moment on.

Keep the column: Django's `db_column` and SQLAlchemy's `Column("old_name", key=...)` rename it in
the code alone. Or expand and contract: a copy of the column under the new name, which a trigger
keeps equal, in one release; in the next the copy goes and the column takes its name.
`tidegate make --expand` and `--contract` write both.

A column that has its first name again at the end of the same transaction is not meant: nobody else
sees the other one.
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
    if moment.keeps_name(change.table, change.column):
        return
    if moment.drops(change.table, change.new):  # a copy under the new name: which release made it
        table = moment.table(change.table)
        added = table.added_in if table else {}
        own, new = f"column {change.column}", f"column {change.new}"
        if new in added and not moment.step.is_fresh(added[new]):
            return
        order = list(added)
        if own in added and (new not in added or order.index(own) > order.index(new)):
            return  # a copy takes the place of the column, whose name everybody goes on using
        yield Hazard(
            f"the old {change.table}.{change.column} goes in the release that makes its copy: the "
            "previous release still asks for it",
            "leave this step to the next release",
        )
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
