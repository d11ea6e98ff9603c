"""A step has no way back.

Django refuses to migrate back over a RunPython or RunSQL without a reverse; the whole history
behind it is shut. Where there is nothing to undo, say so: `migrations.RunPython.noop`,
`migrations.RunSQL.noop`; `--fix` says so for RunPython, and for SQL that writes rows alone. What
SQL changes of the schema needs the statement that undoes it: with a no-op it would be there still
when the step runs again.
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
    Operation,
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
    by_call: dict[Span, list[Operation]] = {}
    for moment in step.real():
        operation = moment.operation
        if step.framework == "django" and not operation.reversible:
            by_call.setdefault(operation.span, []).append(operation)
    for span, some in by_call.items():
        said = some[0].said
        rows = said != "RunSQL" or all(isinstance(one.change, Data) for one in some)
        remedy = "give it a reverse, or say that there is nothing to undo: " \
                 f"migrations.{said}.noop"  # fmt: skip
        if not rows:  # said to be undone and still there, it would stop the next way up
            remedy = "give it as reverse_sql the statement that takes it away again"
        yield Hazard(
            f"{said} has no reverse: Django refuses to migrate back over this step",
            remedy, span=span, mendable=rows,
        )  # fmt: skip
