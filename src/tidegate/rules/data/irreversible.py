"""A step has no way back.

Django refuses to migrate back over a RunPython or RunSQL without a reverse; the whole history
behind it is shut. Where there is nothing to undo, say so: `migrations.RunPython.noop`,
`migrations.RunSQL.noop`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    AddIndex,
    AlterColumn,
    Code,
    CreateTable,
    Data,
    DropColumn,
    Opaque,
    Span,
    Statement,
)

RULE = Rule(
    "warning",
    on=(Code, Data, Statement, Opaque, AddColumn, DropColumn, AlterColumn, AddIndex, CreateTable),
    fixable=True,
    examples=(
        Example(
            "django",
            bad="""def fill(apps, schema_editor):
    pass
# --- operations
migrations.RunPython(fill),""",
            good="""def fill(apps, schema_editor):
    pass
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            line=4,
        ),
        Example(
            "django",
            bad="""migrations.RunSQL("UPDATE shop_order SET note = 'n' WHERE note IS NULL"),""",
            good="""migrations.RunSQL(
    "UPDATE shop_order SET note = 'n' WHERE note IS NULL", migrations.RunSQL.noop
),""",
        ),
    ),
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    seen: set[Span] = set()
    for moment in step.real():
        operation = moment.operation
        if step.framework != "django" or operation.reversible or operation.span in seen:
            continue
        seen.add(operation.span)
        said = operation.said
        yield Hazard(
            f"{said} has no reverse: Django refuses to migrate back over this step",
            f"give it a reverse, or say that there is nothing to undo: migrations.{said}.noop",
            span=operation.span,
        )
