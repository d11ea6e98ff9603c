"""A migration grants or revokes rights, or changes row level security.

Who may do what then depends on the order in which environments were migrated, and the migration
fails where the role does not exist. Off until `rules.privileges-changed = true`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "info",
    on=(Statement,),
    vendors=POSTGRESQL,
    opt_in=True,
    examples=(
        Example(
            "django",
            bad='migrations.RunSQL("GRANT SELECT ON shop_order TO PUBLIC", "SELECT 1"),',
            good='migrations.RunSQL("ANALYZE shop_order", "SELECT 1"),',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb == "privileges":
        yield Hazard(
            "rights are changed by a migration" + (f" on {change.table}" if change.table else ""),
            "keep roles and rights where the servers are set up",
        )
