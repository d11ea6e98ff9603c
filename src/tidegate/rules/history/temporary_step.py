"""A step of `tidegate make --watch` was not folded.

While models are being shaped, each save writes a small migration for the development database. They
are not meant to be kept: what the one adds the next may take back, and every database would have to
go through all of it. `tidegate make --squash` makes one migration of them, and sets the development
database to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Rule, StepView
from tidegate.model.operation import Span

MARK = "# Temporary: `tidegate make --squash` folds it into one."
RULE = Rule(
    "warning",
    examples=(
        Example(
            "django",
            bad=f"""{MARK}
migrations.AddField("order", "remark", models.TextField(null=True)),""",
            good='migrations.AddField("order", "remark", models.TextField(null=True)),',
        ),
        Example(
            "alembic",
            bad=f"""{MARK}
op.add_column("orders", sa.Column("remark", sa.Text()))""",
            good='op.add_column("orders", sa.Column("remark", sa.Text()))',
        ),
    ),
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    if step.temporary:
        yield Hazard(
            f"{step.id} is a temporary step of tidegate make --watch",
            'make one migration of all of them before you commit: tidegate make --squash -m "..."; '
            "or delete the first line and keep it as it is",
            span=Span(1, 1, 1, 1),
        )
