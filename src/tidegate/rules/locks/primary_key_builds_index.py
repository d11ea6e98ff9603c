"""A primary key builds its index under an exclusive lock.

`ADD PRIMARY KEY` holds ACCESS EXCLUSIVE while it builds the index, and reads every row once more
where a column of the key allows NULL.

Build a unique index CONCURRENTLY, make the columns NOT NULL through a validated check, then
`ADD CONSTRAINT ... PRIMARY KEY USING INDEX`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint

RULE = Rule(
    "error",
    on=(AddConstraint,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL(
    "CREATE TABLE shop_tag (name text NOT NULL)", "DROP TABLE shop_tag"
),""",
            bad="""migrations.RunSQL(
    "ALTER TABLE shop_tag ADD PRIMARY KEY (name)",
    "ALTER TABLE shop_tag DROP CONSTRAINT shop_tag_pkey",
),""",
            good="""# atomic = False
migrations.RunSQL(
    "CREATE UNIQUE INDEX CONCURRENTLY shop_tag_pkey ON shop_tag (name)",
    "DROP INDEX CONCURRENTLY shop_tag_pkey",
),
# --- next file
migrations.RunSQL(
    "ALTER TABLE shop_tag ADD CONSTRAINT shop_tag_pkey PRIMARY KEY USING INDEX shop_tag_pkey",
    "ALTER TABLE shop_tag DROP CONSTRAINT shop_tag_pkey",
),""",
        ),
        Example(
            "alembic",
            before='op.create_table("tag", sa.Column("name", sa.Text(), nullable=False))',
            bad='op.create_primary_key("tag_pkey", "tag", ["name"])',
            good="""with op.get_context().autocommit_block():
    op.create_index("tag_pkey", "tag", ["name"], unique=True, postgresql_concurrently=True)
# --- next file
op.execute("ALTER TABLE tag ADD CONSTRAINT tag_pkey PRIMARY KEY USING INDEX tag_pkey")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    one = change.constraint
    if one.kind != "primary-key" or one.using_index or not moment.is_old(change.table):
        return
    yield Hazard(
        f"adding the primary key builds an index over the whole of {change.table} under ACCESS "
        "EXCLUSIVE: nobody reads or writes it meanwhile",
        "build it first with CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... PRIMARY KEY "
        "USING INDEX",
    )
