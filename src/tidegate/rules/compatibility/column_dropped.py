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
from tidegate.model import sqltype
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
    if moment.loses_table(change.table):
        return  # table-dropped says so
    if moment.renamed_to(change.table, change.column):
        yield from _replaced(moment)  # a copy goes, and what it was made of takes its name
        return
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


def _replaced(moment: Moment) -> Iterator[Hazard]:
    """A copy made in the same release, of a type that the previous one does not know."""
    change = moment.change
    table, copy = moment.table(change.table), moment.copy_of(change.table, change.column)
    old = table.columns.get(change.column) if table else None
    if old is None or copy is None or moment.is_old_column(change.table, copy.name):
        return
    if sqltype.kind(old.type) in ("", sqltype.kind(copy.type)) or not sqltype.kind(copy.type):
        return
    yield Hazard(
        f"{change.table}.{change.column} goes, and a column of another type takes its name "
        f"({old.type}, then {copy.type}): queries of the previous release fail",
        "add the new column in one release and let the code use it, and drop the old one in a later "
        "one, under a name of its own",
    )
