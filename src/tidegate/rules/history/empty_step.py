"""A step does nothing.

Autogenerate writes such files when it sees no difference, most often since a model's module was
not imported. Delete it, or write what it was meant to do. Merges are empty by nature and are
not meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Rule, StepView

RULE = Rule(
    "warning",
    examples=(
        Example(
            "django",
            bad="",
            good='migrations.AddField("order", "a", models.TextField(null=True)),',
            line=0,
        ),
        Example(
            "alembic", bad="pass", good='op.add_column("orders", sa.Column("a", sa.Text()))', line=0
        ),
    ),
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    own = [n for n in step.needs if step.framework == "alembic" or _app(n) == _app(step.id)]
    if step.moments or step.problem or len(own) > 1 or step.replaces or step.initial or not own:
        return
    yield Hazard(
        f"{step.id} changes nothing",
        "delete it; if it was meant to hold a change, see whether the module of the model is "
        "imported where the framework looks for models",
        severity="" if step.last else "info",  # others stand on it: somebody left it on purpose
        span=step.title,
    )


def _app(id: str) -> str:
    return id.partition(".")[0]
