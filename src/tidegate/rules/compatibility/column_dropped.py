"""A column is dropped that the running release still reads and writes.

While the schema is changed the previous release is running. Its ORM names every column in each
SELECT and INSERT: after the DROP they all fail until the new release is up.

First release the code without the column, then drop it. With Django that is
`SeparateDatabaseAndState(state_operations=[RemoveField(...)])` in one release and the column's
`RunSQL` in the next. Alembic's files don't tell which release stopped using a column: say so in a
comment on the line, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import DropColumn

RULE = Rule(
    "error",
    on=(DropColumn,),
    examples=(
        Example(
            "django",
            bad='migrations.RemoveField("order", "note"),',
            good="""migrations.SeparateDatabaseAndState(
    state_operations=[migrations.RemoveField("order", "note")],
),
# --- next file
migrations.RunSQL(
    "ALTER TABLE shop_order DROP COLUMN note", "ALTER TABLE shop_order ADD COLUMN note text"
),""",
        ),
        Example(
            "alembic",
            bad='op.drop_column("orders", "note")',
            good="""# tidegate: allow column-dropped: not mapped since release 41
op.drop_column("orders", "note")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if not moment.is_old_column(change.table, change.column):
        return
    if moment.renamed_to(change.table, change.column):
        return  # a copy goes, and the column that it was made of takes its name
    table = moment.table(change.table)
    since = (table.forgotten.get(change.column) or table.forgotten.get("*", "")) if table else ""
    if since and not moment.step.is_fresh(since):
        return
    yield Hazard(
        f"{change.table}.{change.column} goes while the previous release still names it in its "
        "queries: they fail until the new release is up, and its values are lost",
        moment.say(
            "take the field out of the models first, with SeparateDatabaseAndState("
            "state_operations=[RemoveField(...)]), and drop the column in the next release",
            "release the code without the column first, and drop it in the next release; where "
            "that is done, say so: # tidegate: allow column-dropped: REASON",
        ),
    )
