"""A revision has no way back.

`downgrade()` is missing, empty or raises, while `upgrade()` changes the schema: `alembic
downgrade` either fails or, worse, says that it went back and leaves the schema as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule, StepView
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
)

RULE = Rule(
    "warning",
    confidence="medium",
    examples=(
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column("a", sa.Text()))
# --- downgrade
pass""",
            good="""op.add_column("orders", sa.Column("a", sa.Text()))
# --- downgrade
op.drop_column("orders", "a")""",
            line=0,
        ),
    ),
)
SCHEMA = (
    CreateTable,
    DropTable,
    RenameTable,
    AddColumn,
    DropColumn,
    RenameColumn,
    AlterColumn,
    AddIndex,
    AddConstraint,
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    if step.framework != "alembic" or step.backward_state == "done":
        return
    gone = {one.change.table for one in step.real() if isinstance(one.change, DropTable)}
    if not any(_stays(one, gone) for one in step.real()):
        return
    words = {"missing": "there is no downgrade()", "raises": "downgrade() only raises"}
    said = words.get(
        step.backward_state, "downgrade() is empty: it says that it went back, and the schema stays"
    )
    yield Hazard(
        f"{said}",
        "write the reverse of upgrade(), or raise in downgrade() with the reason and say so here: "
        "# tidegate: allow no-downgrade: REASON",
        severity="info" if step.backward_state == "raises" else "",
        span=step.backward_title,
    )


def _stays(moment: Moment, gone: set[str]) -> bool:
    """Whether the schema is another one afterwards: a table that only helps, goes again."""
    change = moment.change
    if not isinstance(change, SCHEMA):
        return False
    found = moment.table(change.table)
    made_here = isinstance(change, CreateTable) or (
        found is not None and found.made_in == moment.step.id
    )
    return not (made_here and change.table in gone)
