"""A whole schema or database is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "error",
    on=(Statement,),
    examples=(
        Example(
            "django",
            before='migrations.RunSQL("CREATE SCHEMA attic", "DROP SCHEMA attic"),',
            bad='migrations.RunSQL("DROP SCHEMA attic", "CREATE SCHEMA attic"),',
            good='migrations.RunSQL("CREATE SCHEMA loft", "DROP SCHEMA loft"),',
        ),
        Example(
            "alembic",
            before='op.execute("CREATE SCHEMA attic")',
            bad='op.execute("DROP SCHEMA attic")',
            good='op.execute("CREATE SCHEMA loft")',
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb in ("drop-schema", "drop-database"):
        kind = change.verb.removeprefix("drop-")
        yield Hazard(
            f"{kind} {change.name} goes with everything in it",
            "do it by hand, after a backup, not in a migration that runs everywhere",
        )
