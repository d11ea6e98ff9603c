"""A foreign key's column has no index.

PostgreSQL makes none. Each DELETE or change of key in the referenced table then reads the whole
referencing table to see whether the row is still pointed to.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Rule, StepView
from tidegate.model.operation import AddConstraint, AddIndex

RULE = Rule(
    "warning",
    on=(AddConstraint,),
    vendors=POSTGRESQL,
    confidence="medium",
    examples=(
        Example(
            "alembic",
            before='op.add_column("orders", sa.Column("payer_id", sa.BigInteger()))',
            bad="""op.create_foreign_key("payer_fk", "orders", "customer", ["payer_id"], ["id"],
                      postgresql_not_valid=True)""",
            good="""with op.get_context().autocommit_block():
    op.create_index("orders_payer", "orders", ["payer_id"], postgresql_concurrently=True)
# --- next file
op.create_foreign_key("payer_fk", "orders", "customer", ["payer_id"], ["id"],
                      postgresql_not_valid=True)""",
        ),
    ),
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    for moment in step.real():
        change = moment.change
        if not isinstance(change, AddConstraint) or change.constraint.kind != "foreign-key":
            continue
        columns = change.constraint.columns
        found = moment.table(change.table)
        if not columns or found is None or not found.columns or found.covers(columns):
            continue
        if any(_indexes(one.change, change.table, columns) for one in step.moments):
            continue
        named = ", ".join(columns)
        yield Hazard(
            f"{change.table} ({named}) points to another table and has no index: each DELETE there "
            f"reads the whole of {change.table}",
            f"build an index on {change.table} ({named}) first, CONCURRENTLY",
            span=moment.operation.span,
        )


def _indexes(change: object, table: str, columns: tuple[str, ...]) -> bool:
    if isinstance(change, AddIndex) and change.table == table:
        return change.made.columns[: len(columns)] == columns
    unique = isinstance(change, AddConstraint) and change.table == table
    return (
        unique
        and isinstance(change, AddConstraint)
        and change.constraint.kind in ("unique", "primary-key")
        and change.constraint.columns[: len(columns)] == columns
    )
