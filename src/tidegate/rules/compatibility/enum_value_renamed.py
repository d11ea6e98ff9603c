"""An enum's value, or the type, gets another name or goes.

The previous release writes and compares the old name: those statements fail from that moment on.
Add the new value, move the rows over, and leave the old one.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterType

RULE = Rule(
    "error",
    on=(AlterType,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            before="""migrations.RunSQL("CREATE TYPE mood AS ENUM ('good')", "DROP TYPE mood"),""",
            bad="""migrations.RunSQL("ALTER TYPE mood RENAME VALUE 'good' TO 'fine'", ""),""",
            good="""migrations.RunSQL("ALTER TYPE mood ADD VALUE 'fine'", ""),""",
        ),
        Example(
            "alembic",
            before="""op.execute("CREATE TYPE mood AS ENUM ('good')")""",
            bad="""op.execute("ALTER TYPE mood RENAME VALUE 'good' TO 'fine'")""",
            good="""op.execute("ALTER TYPE mood ADD VALUE 'fine'")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.what != "rename-value":
        return
    if moment.step.is_fresh(moment.types_made_in.get(change.name, "")):
        return
    yield Hazard(
        f"'{change.value}' of {change.name} becomes '{change.new}' while the previous release still "
        "writes and compares the old one",
        f"add '{change.new}' with ADD VALUE, move the rows over, and leave '{change.value}' for a "
        "release",
    )
