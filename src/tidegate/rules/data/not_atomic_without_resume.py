"""A migration without a transaction does several things.

With `atomic = False` each statement commits by itself. When one fails, those before it have
happened, the step counts as not applied, and the next attempt fails on what is there already.

One statement a migration; or make each one safe to repeat (IF NOT EXISTS, IF EXISTS, a condition
in the UPDATE).
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    CreateTable,
    DropColumn,
    DropTable,
    RenameColumn,
    RenameTable,
    Span,
)

RULE = Rule(
    "warning",
    vendors=POSTGRESQL,
    confidence="medium",
    examples=(
        Example(
            "django",
            bad="""# atomic = False
AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),
migrations.AddField("order", "source", models.TextField(null=True)),""",
            good="""# atomic = False
AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),
# --- next file
migrations.AddField("order", "source", models.TextField(null=True)),""",
            line=3,
        ),
    ),
)
LASTING = (
    AddColumn,
    DropColumn,
    RenameColumn,
    RenameTable,
    AlterColumn,
    AddIndex,
    AddConstraint,
    CreateTable,
    DropTable,
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    if step.framework != "django" or step.atomic:
        return
    spans: list[Span] = []
    for moment in step.real():
        change, operation = moment.change, moment.operation
        if not isinstance(change, LASTING) or "IF NOT EXISTS" in operation.sql.upper():
            continue
        if "IF EXISTS" in operation.sql.upper():
            continue
        if operation.span not in spans:
            spans.append(operation.span)
        if len(spans) == 2:
            yield Hazard(
                "atomic = False and more than one change: when this one fails the earlier ones "
                "stay, and the next attempt fails on them",
                "give each change a migration of its own",
                span=operation.span,
            )
            return
