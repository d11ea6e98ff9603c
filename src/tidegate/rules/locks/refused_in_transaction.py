"""A statement stands inside a transaction, where PostgreSQL refuses it.

VACUUM, CREATE and DROP DATABASE, ALTER SYSTEM, CREATE and DROP TABLESPACE and REINDEX of a schema
or database commit on the way: the migration fails when it is applied. Django wraps each migration
in a transaction unless it says `atomic = False`; Alembic wraps each revision unless the statement
stands in an `autocommit_block`. Several statements in one text are a transaction as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "error",
    on=(Statement,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            applies=False,
            bad='migrations.RunSQL("VACUUM shop_order", migrations.RunSQL.noop),',
            good="""# atomic = False
migrations.RunSQL("VACUUM shop_order", migrations.RunSQL.noop),""",
        ),
        Example(
            "alembic",
            applies=False,
            bad='op.execute("VACUUM orders")',
            good="""with op.get_context().autocommit_block():
    op.execute("VACUUM orders")""",
        ),
    ),
)
REFUSED = {
    "vacuum": "VACUUM",
    "createdb": "CREATE DATABASE",
    "drop-database": "DROP DATABASE",
    "alter-system": "ALTER SYSTEM",
    "create-table-space": "CREATE TABLESPACE",
    "drop-table-space": "DROP TABLESPACE",
    "reindex-all": "REINDEX of more than one table",
}


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    verb = moment.change.verb
    if verb not in REFUSED or not moment.in_transaction or moment.committed:
        return
    yield Hazard(
        f"{REFUSED[verb]} can't run in a transaction: PostgreSQL refuses it when the migration is "
        "applied",
        "give it a text of its own: several statements in one are a transaction"
        if moment.operation.transaction == 0
        else moment.say(
            "set atomic = False on the migration, and leave nothing else in it",
            "put it inside `with op.get_context().autocommit_block():`",
        ),
    )
