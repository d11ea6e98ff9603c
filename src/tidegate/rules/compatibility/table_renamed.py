"""A table gets another name while the running release uses the old one.

Every query of the previous release on it fails from that moment on. Keep the table's name
(`db_table`, `__tablename__`) and rename in the code alone, or leave a view of the old name for one
release.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import RenameTable, Statement

RULE = Rule(
    "error",
    on=(RenameTable, Statement),
    examples=(
        Example(
            "django",
            bad='migrations.RenameModel("Order", "Purchase"),',
            good="""migrations.RenameModel("Order", "Purchase"),
migrations.RunSQL(
    "CREATE VIEW shop_order AS SELECT * FROM shop_purchase", "DROP VIEW shop_order"
),""",
        ),
        Example(
            "alembic",
            bad='op.rename_table("orders", "purchases")',
            good="""op.rename_table("orders", "purchases")
op.execute("CREATE VIEW orders AS SELECT * FROM purchases")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, Statement):
        if change.verb == "rename-schema":
            yield Hazard(
                f"schema {change.name} becomes {change.detail}: every query of the previous "
                "release into it fails",
                "move the tables in an expand and contract of their own",
            )
        return
    other = change.table.endswith(("_seq", "_idx", "_pkey", "_key", "_uniq"))
    if not moment.is_old(change.table) or (other and moment.table(change.table) is None):
        return  # ALTER TABLE renames sequences and indexes as well
    if moment.makes_view(change.table) or moment.keeps_name(change.table):
        return
    yield Hazard(
        f"{change.table} becomes {change.new} while the previous release still asks for the old "
        "name: its queries fail until the new release is up",
        moment.say(
            f'keep the table with db_table = "{change.table}" in the model\'s Meta',
            f'keep the table with __tablename__ = "{change.table}"',
            f"leave the table's name, or CREATE VIEW {change.table} AS SELECT * FROM {change.new} "
            "in the same transaction for one release",
        ),
    )
