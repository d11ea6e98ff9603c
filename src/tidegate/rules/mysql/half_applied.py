"""MySQL commits each change of the schema by itself.

When a later statement of the step fails, the earlier ones stay, the step counts as not applied,
and the next attempt fails on what is there already. One change of the schema a step.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import MYSQL, Example, Hazard, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    RenameColumn,
    RenameTable,
)

RULE = Rule(
    "warning",
    vendors=MYSQL,
    examples=(
        Example(
            "alembic",
            vendor="mysql",
            bad="""op.add_column("orders", sa.Column("a", sa.Integer()))
op.add_column("customer", sa.Column("b", sa.Integer()))""",
            good="""op.add_column("orders", sa.Column("a", sa.Integer()))
# --- next file
op.add_column("customer", sa.Column("b", sa.Integer()))""",
            line=2,
        ),
    ),
)
SCHEMA = (
    AddColumn,
    DropColumn,
    RenameColumn,
    RenameTable,
    AlterColumn,
    AddIndex,
    DropIndex,
    AddConstraint,
    DropConstraint,
    DropTable,
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    first = ""
    for moment in step.real():
        change = moment.change
        if not isinstance(change, SCHEMA) or not moment.is_old(change.table):
            continue
        if first and first != str(moment.operation.span):
            yield Hazard(
                "MySQL has committed what stands above: when this fails, the step is half applied",
                "give each change of the schema a step of its own",
                span=moment.operation.span,
            )
            return
        first = str(moment.operation.span)
