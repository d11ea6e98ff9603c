"""A migration begins or ends a transaction by hand.

The framework has opened one and means to commit it: a COMMIT in between makes what went before it
permanent while the step still counts as not applied, and what follows runs without protection.

Say `atomic = False` (Django), or use an `autocommit_block` (Alembic).
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import Statement

RULE = Rule(
    "warning",
    on=(Statement,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""migrations.RunSQL("COMMIT; ANALYZE shop_order; BEGIN", migrations.RunSQL.noop),""",
            good="""# atomic = False
migrations.RunSQL("ANALYZE shop_order", migrations.RunSQL.noop),""",
        ),
        Example(
            "alembic",
            bad='op.execute("COMMIT")',
            good="""with op.get_context().autocommit_block():
    op.execute("ANALYZE orders")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if change.verb != "transaction" or moment.operation.transaction == 0:
        return
    if change.detail not in ("begin", "start", "commit", "rollback"):
        return
    if change.detail in ("begin", "start") and _commits(moment):
        return
    yield Hazard(
        f"{change.detail.upper()} inside the framework's own transaction: what went before it can't "
        "be undone any more when the step fails",
        moment.say(
            "set atomic = False on the migration instead",
            "use `with op.get_context().autocommit_block():` instead",
        ),
    )


def _commits(moment: Moment) -> bool:
    """Whether the same operation commits: it is named once."""
    return any(
        isinstance(one.change, Statement) and one.change.detail == "commit"
        for one in moment.step.moments
        if one.operation.span == moment.operation.span
    )
