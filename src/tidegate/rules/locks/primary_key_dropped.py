"""A primary key is dropped.

Foreign keys to it go with it or refuse, logical replication can no longer tell the rows apart
(UPDATE and DELETE on the publisher fail), and the next key builds its index under an exclusive
lock. Build the new unique index CONCURRENTLY first and swap both in one short transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, DropConstraint

RULE = Rule(
    "error",
    on=(DropConstraint,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE TABLE shop_tag (name text CONSTRAINT shop_tag_pkey PRIMARY KEY)", "DROP TABLE shop_tag"
),""",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_tag DROP CONSTRAINT shop_tag_pkey",
    "ALTER TABLE shop_tag ADD PRIMARY KEY (name)",
),""",
            good="""migrations.RunSQL(
    "CREATE TABLE shop_label (name text PRIMARY KEY)", "DROP TABLE shop_label"
),""",
        ),
        Example(
            "alembic",
            before='op.create_table("tag", sa.Column("name", sa.Text(), primary_key=True))',
            bad='op.drop_constraint("tag_pkey", "tag", type_="primary")',
            good="""op.execute("CREATE UNIQUE INDEX tag_new ON tag (name)")
op.execute("ALTER TABLE tag DROP CONSTRAINT tag_pkey, "
           "ADD CONSTRAINT tag_pkey PRIMARY KEY USING INDEX tag_new")""",
            companions=("index-without-concurrently",),
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if not moment.is_old(change.table):
        return
    table = moment.table(change.table)
    known = table.constraints.get(change.name) if table else None
    kind = change.kind or (known.kind if known else "")
    if kind != "primary-key" and not change.name.endswith("_pkey"):
        return
    for one in moment.step.moments:
        added = one.change
        swapped = isinstance(added, AddConstraint) and added.table == change.table
        if swapped and added.constraint.kind == "primary-key" and added.constraint.using_index:
            return
    yield Hazard(
        f"{change.table} loses its primary key: foreign keys to it refuse or go with it, and logical "
        "replication can't tell its rows apart",
        "build the new unique index CONCURRENTLY first, then drop the old key and ADD PRIMARY KEY "
        "USING INDEX in one ALTER TABLE",
    )
