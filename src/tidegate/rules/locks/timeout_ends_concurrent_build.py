"""One timeout is set for everything, and ends the concurrent build as well.

A lock or statement timeout of seconds is right for statements that others queue behind. CREATE
INDEX CONCURRENTLY and VALIDATE CONSTRAINT hold nobody up and take as long as the table is large:
the timeout cancels them, and a cancelled build leaves an INVALID index.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Rule, StepView
from tidegate.model.operation import AddIndex, Statement

RULE = Rule(
    "warning",
    vendors=POSTGRESQL,
    companions=("not-atomic-without-resume",),
    examples=(
        Example(
            "django",
            bad="""# atomic = False
migrations.RunSQL("SET statement_timeout = '5s'", "SELECT 1"),
AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),""",
            good="""# atomic = False
migrations.RunSQL("SET statement_timeout = 0", "SELECT 1"),
AddIndexConcurrently("order", models.Index(fields=["total"], name="order_total")),""",
            line=3,
        ),
        Example(
            "alembic",
            bad="""with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.create_index("orders_total", "orders", ["total"], postgresql_concurrently=True)""",
            good="""with op.get_context().autocommit_block():
    op.create_index("orders_total", "orders", ["total"], postgresql_concurrently=True)""",
            line=3,
        ),
    ),
)
TIMEOUTS = ("lock_timeout", "statement_timeout")


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    running: dict[str, str] = {}
    for moment in step.real():
        change = moment.change
        if isinstance(change, Statement) and change.verb == "set" and change.name in TIMEOUTS:
            running[change.name] = "" if change.detail in ("0", "") else change.detail
        built = isinstance(change, AddIndex) and change.made.concurrently
        limits = {name: value for name, value in running.items() if value}
        if limits and built:
            name, value = next(iter(limits.items()))
            yield Hazard(
                f"{name} is {value}: it cancels the concurrent build of {change.made.name} and "
                "leaves an INVALID index",
                f"SET {name} = 0 before it: a concurrent build holds nobody up",
                span=moment.operation.span,
            )
            return
