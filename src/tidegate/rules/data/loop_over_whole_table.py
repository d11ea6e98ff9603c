"""Rows are loaded and saved one at a time.

Each row costs a round trip, all in one transaction that keeps every row it touched locked. Use one
UPDATE a batch of keys, outside of one large transaction.

A loop of SQLAlchemy's, of a cursor's and of PL/pgSQL is the same. In a migration that is not atomic
each row is locked for itself: that is not meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Code, Statement

RULE = Rule(
    "warning",
    on=(Code, Statement),
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
        Example(
            "alembic",
            bad="""bind = op.get_bind()
for row in bind.execute(sa.text("SELECT id, reference FROM orders")).fetchall():
    bind.execute(sa.text("UPDATE orders SET note = :n WHERE id = :i"), {"n": row[1], "i": row[0]})""",
            good="""op.get_bind().execute(
    sa.text("UPDATE orders SET note = lower(reference) WHERE id BETWEEN 1 AND 5000")
)""",
            line=2,
        ),
    ),
)
SAID = {
    "loop-save": "every {} is loaded and saved by itself, in one transaction that keeps all of them "
    "locked",
    "loop-write": "for every {} that is loaded, rows are written by a statement of their own, in one "
    "transaction that keeps all of them locked",
    "loop-bulk": "every {} is loaded, and what changes is written in parts, in one transaction that "
    "keeps all of them locked",
}


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    if isinstance(change, Statement):
        if change.verb == "row-loop" and not change.detail and moment.is_old(change.table):
            yield Hazard(
                SAID["loop-write"].format(f"row of {change.table}"),
                "use one UPDATE over ranges of the key, each in a transaction of its own",
            )
        return
    if moment.operation.transaction == 0:
        return  # each row is a transaction of its own
    saved = {one.span for one in change.traits if one.what == "loop-save"}
    for one in change.traits:
        if one.what not in SAID or (one.what == "loop-write" and one.span in saved):
            continue
        table = one.table or one.detail
        if moment.table(table) is not None and not moment.is_old(table):
            continue
        word = one.detail if moment.django and one.table else f"row of {one.detail or 'the query'}"
        yield Hazard(
            SAID[one.what].format(word),
            moment.say(
                "use update() or bulk_update() over ranges of the key, each in a transaction of "
                "its own (atomic = False)",
                "use one UPDATE over ranges of the key, each in a transaction of its own "
                "(autocommit_block)",
            ),
            span=one.span,
        )
