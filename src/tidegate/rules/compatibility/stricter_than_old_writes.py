"""A new constraint refuses what the running release may still write.

A UNIQUE, CHECK or EXCLUDE constraint holds for the previous release as well: what it writes
against the constraint fails from that moment on. First release code that keeps to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddConstraint, AddIndex

RULE = Rule(
    "info",
    on=(AddConstraint, AddIndex),
    confidence="low",
    examples=(
        Example(
            "django",
            bad="""AddConstraintNotValid(
    "order", models.CheckConstraint(condition=models.Q(total__gte=0), name="total_positive")
),""",
            good="""migrations.CreateModel("Tag", [
    ("id", models.BigAutoField(primary_key=True)),
    ("name", models.CharField(max_length=40, unique=True)),
]),""",
        ),
        Example(
            "alembic",
            bad="""op.create_check_constraint("total_positive", "orders", "total >= 0",
                           postgresql_not_valid=True)""",
            good="""op.create_table("tag", sa.Column("name", sa.Text(), unique=True),
    sa.CheckConstraint("name <> ''"))""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, AddIndex):
        if not change.made.unique or change.why not in ("", "the unique constraint"):
            return
        name, columns = change.made.name or "the unique index", change.made.columns
    else:
        one = change.constraint
        if one.kind not in ("unique", "check", "exclude") or one.using_index or one.not_null_of:
            return
        name, columns = one.name or f"the {one.kind} constraint", one.columns
    if not moment.is_old(change.table):
        return
    if columns and not any(moment.is_old_column(change.table, one) for one in columns):
        return
    yield Hazard(
        f"{name} holds for the previous release as well: what it writes to {change.table} against "
        "it fails from now on",
        "make sure that the release now running keeps to it already",
    )
