"""Rows are loaded and saved one at a time.

Each row costs a round trip, all in one transaction that keeps every row it touched locked. Use one
UPDATE a batch of keys, outside of one large transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Code

RULE = Rule(
    "warning",
    on=(Code,),
    confidence="medium",
    examples=(
        Example(
            "django",
            bad="""def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    for order in Order.objects.all():
        order.note = order.reference.lower()
        order.save()
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            good="""def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    Order.objects.filter(note=None).update(note="n")
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            line=3,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    for one in moment.change.traits:
        if one.what == "loop-save":
            yield Hazard(
                f"every {one.detail} is loaded and saved by itself, in one transaction that keeps "
                "all of them locked",
                "use update() or bulk_update() over ranges of the key, each in a transaction of "
                "its own (atomic = False)",
                span=one.span,
            )
