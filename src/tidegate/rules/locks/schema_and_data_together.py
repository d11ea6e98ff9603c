"""A table is altered and its rows are written in one transaction.

The ALTER TABLE holds ACCESS EXCLUSIVE until the transaction ends, so nobody reads or writes the
table until every row has been written. The other way round the written rows stay locked until the
ALTER TABLE is done (a warning), and where a deferred constraint has yet to be checked, as Django's
foreign keys are, PostgreSQL refuses it: "pending trigger events".

Split it: the schema in one migration, the rows in the next, in batches.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Code,
    Data,
    DropColumn,
    DropConstraint,
    RenameColumn,
)

RULE = Rule(
    "error",
    vendors=POSTGRESQL,
    examples=(
        Example(
            "django",
            bad="""def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    Order.objects.filter(source__isnull=True).update(source="web")
# --- operations
migrations.AddField("order", "source", models.TextField(null=True)),
migrations.RunPython(fill, migrations.RunPython.noop),""",
            good="""migrations.AddField("order", "source", models.TextField(null=True)),
# --- next file
def fill(apps, schema_editor):
    Order = apps.get_model("shop", "Order")
    Order.objects.filter(source__isnull=True).update(source="web")
# --- operations
migrations.RunPython(fill, migrations.RunPython.noop),""",
            line=6,
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column("source", sa.Text()))
op.execute("UPDATE orders SET source = 'web' WHERE source IS NULL")""",
            good="""op.add_column("orders", sa.Column("source", sa.Text()))
# --- next file
op.execute("UPDATE orders SET source = 'web' WHERE source IS NULL")""",
            line=2,
        ),
    ),
)
ALTERS = (AddColumn, DropColumn, RenameColumn, AlterColumn, AddConstraint, DropConstraint)
WRITES = ("loop-save", "loop-bulk", "whole-bulk_update", "whole-update", "whole-delete", "write")


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    altered: dict[int, list[str]] = {}
    written: dict[int, list[str]] = {}
    for moment in step.real():
        change, number = moment.change, moment.operation.transaction
        if number == 0:
            continue
        if isinstance(change, ALTERS) and moment.is_old(change.table):
            if change.table in written.get(number, []):
                yield _after(moment, change.table)
                return
            altered.setdefault(number, []).append(change.table)
        for table in _tables(moment):
            if table in altered.get(number, []):
                yield _while(moment, table)
                return
            written.setdefault(number, []).append(table)


def _tables(moment: Moment) -> list[str]:
    """Return the tables whose rows an operation writes, as far as it can be told."""
    change = moment.change
    if isinstance(change, Data) and change.verb in ("update", "delete"):
        return [change.table]
    if not isinstance(change, Code):
        return []
    known = [one.table for one in change.traits if one.what in WRITES and one.table]
    said = {one.detail.lower() for one in change.traits if one.what in WRITES and not one.table}
    models = {name.replace("_", "") for one in said for name in (one, one.removesuffix("s"))}
    return known + [
        name
        for name in moment.tables
        if any(name.replace("_", "").endswith(one) for one in models if one)
    ]


def _while(moment: Moment, table: str) -> Hazard:
    return Hazard(
        f"{table} is written while the ALTER TABLE above still holds it, in one transaction: "
        f"nobody reads or writes {table} until every row is done",
        "split it: the schema in one migration, the rows in the next one, in batches",
        span=moment.operation.span,
    )


def _after(moment: Moment, table: str) -> Hazard:
    return Hazard(
        f"{table} is altered after its rows were written, in one transaction: the written rows "
        "stay locked until the ALTER TABLE is done, and PostgreSQL refuses it where a deferred "
        'constraint has yet to be checked ("pending trigger events")',
        "split it: the rows in one migration, in batches, the schema in the next one",
        span=moment.operation.span,
        severity="warning",
    )
