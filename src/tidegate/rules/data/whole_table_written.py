"""Every row of a table is written by one statement.

An UPDATE or DELETE without a condition locks each row until it commits, writes the table's size
again as new row versions, and keeps everybody waiting who wants to write one of them. A condition
that holds for each row is none; nor is one that says only which row of another table belongs to it.

Go over ranges of the key, each in its own transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import Code, Data, Statement

RULE = Rule(
    "warning",
    on=(Data, Code),
    examples=(
        Example(
            "django",
            bad="""migrations.RunSQL("UPDATE shop_order SET note = 'n'", migrations.RunSQL.noop),""",
            good="""migrations.RunSQL(
    "UPDATE shop_order SET note = 'n' WHERE id BETWEEN 1 AND 5000", migrations.RunSQL.noop
),""",
        ),
        Example(
            "alembic",
            bad="""op.execute("UPDATE orders SET note = 'n'")""",
            good="""op.execute("UPDATE orders SET note = 'n' WHERE id BETWEEN 1 AND 5000")""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    remedy = "go over ranges of the key in batches, each in a transaction of its own"
    if isinstance(change, Data):
        if (
            change.verb in ("update", "delete", "merge")
            and not change.bounded
            and moment.is_old(change.table)
            and not _is_helper(moment, change.beside)
        ):
            yield Hazard(
                f"the {change.verb.upper()} writes {_rows(change)} at once and keeps them locked "
                "until it commits",
                remedy,
            )
        return
    for one in change.traits:
        if one.what in ("whole-update", "whole-delete", "whole-bulk_update"):
            verb = one.what.removeprefix("whole-")
            if not moment.is_old(one.table) if one.table else _is_new(moment, one.detail):
                continue
            yield Hazard(
                f"{verb}() writes every {one.detail} at once and keeps them locked until it commits",
                remedy,
                span=one.span,
            )


def _is_helper(moment: Moment, table: str) -> bool:
    """Whether a table is one of this release, or a temporary one: it may hold a few rows."""
    if not table:
        return False
    found = moment.table(table)
    return (found is not None and not moment.is_old(table)) or any(
        isinstance(one.change, Statement)
        and (one.change.verb, one.change.table) == ("temporary-table", table)
        for one in moment.step.moments
    )


def _rows(change: Data) -> str:
    if change.beside:
        return f"every row of {change.table} that has its match in {change.beside}"
    return f"every row of {change.table or change.named or 'the table'}"


def _is_new(moment: Moment, model: str) -> bool:
    """Whether the model's table is made by the release under review."""
    ending = model.lower().replace("_", "")
    found = [name for name in moment.tables if name.replace("_", "").endswith(ending)]
    return bool(ending and found) and not any(moment.is_old(name) for name in found)
