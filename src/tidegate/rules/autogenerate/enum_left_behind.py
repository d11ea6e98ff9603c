"""Going back leaves an enum type behind.

`drop_table` and `drop_column` in `downgrade()` don't drop the native enum type that `upgrade()`
made: the next `upgrade()` fails with "type ... already exists".
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Rule, StepView
from tidegate.model.operation import AlterType, CreateType, Opaque

RULE = Rule(
    "warning",
    vendors=POSTGRESQL,
    examples=(
        Example(
            "alembic",
            bad="""sa.Enum("new", "paid", name="state").create(op.get_bind())
op.add_column("orders", sa.Column("state", sa.Enum("new", "paid", name="state")))
# --- downgrade
op.drop_column("orders", "state")""",
            good="""sa.Enum("new", "paid", name="state").create(op.get_bind())
op.add_column("orders", sa.Column("state", sa.Enum("new", "paid", name="state")))
# --- downgrade
op.drop_column("orders", "state")
op.execute("DROP TYPE state")""",
        ),
    ),
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    if step.framework != "alembic" or step.backward_state != "done":
        return
    dropped = {
        one.change.name
        for one in step.backward
        if isinstance(one.change, AlterType) and one.change.what == "drop"
    }
    if any(isinstance(one.change, Opaque) for one in step.backward):
        return
    freed: set[str] = set()  # types that go or get another name: one of that name replaces them
    for moment in step.real():
        change = moment.change
        if isinstance(change, AlterType) and change.what in ("rename", "drop"):
            freed.add(change.name)
        if isinstance(change, CreateType) and change.name in freed:
            continue
        if isinstance(change, CreateType) and change.name not in dropped and change.name:
            if change.name.startswith("?") or change.name in moment.types:
                continue
            dropped.add(change.name)
            yield Hazard(
                f"downgrade() leaves the type {change.name} behind: the next upgrade() fails with "
                f'"type {change.name} already exists"',
                f'add to downgrade(): op.execute("DROP TYPE {change.name}")',
                span=moment.operation.span,
            )
