"""Going back loses data.

The reverse of this step drops a column or a table: what was written since is gone. That is often
right; it is said so that nobody learns it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Hazard, Rule, StepView
from tidegate.model.operation import AddColumn, CreateTable, DropColumn, DropTable

RULE = Rule("info", opt_in=True, confidence="medium")


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    for one in step.real() if step.framework == "django" else step.backward:
        change = one.change
        added = isinstance(change, AddColumn | CreateTable)
        gone = isinstance(change, DropColumn | DropTable)
        if added if step.framework == "django" else gone:
            yield Hazard(
                f"going back over {step.id} drops {one.operation.subject or change.table} with what "
                "was written to it since",
                "back up first, or go forward instead",
                span=one.operation.span,
            )
