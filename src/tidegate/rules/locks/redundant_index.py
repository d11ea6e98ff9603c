"""An index begins with the columns of one that is there, or the other way round.

An index on (a, b) serves what an index on (a) serves. The second one costs room and a write for
each write. Unique, partial and expression indexes, and other methods than btree, are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Moment, Rule
from tidegate.model.operation import AddIndex, Index

RULE = Rule(
    "info",
    on=(AddIndex,),
    confidence="medium",
    companions=("index-without-concurrently",),
    examples=(
        Example(
            "django",
            bad="""# atomic = False
AddIndexConcurrently("order", models.Index(fields=["placed"], name="order_placed_2")),""",
            good="""# atomic = False
AddIndexConcurrently("order", models.Index(fields=["total", "placed"], name="order_total")),""",
            line=2,
        ),
        Example(
            "alembic",
            bad="""with op.get_context().autocommit_block():
    op.create_index("orders_placed_2", "orders", ["placed"], postgresql_concurrently=True)""",
            good="""with op.get_context().autocommit_block():
    op.create_index("orders_total", "orders", ["total", "placed"], postgresql_concurrently=True)""",
            line=2,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change, made = moment.change, moment.change.made
    table = moment.table(change.table)
    if table is None or not _is_plain(made):
        return
    for name, other in table.indexes.items():
        if (
            _is_plain(other)
            and name != made.name
            and other.columns[: len(made.columns)] == made.columns
        ):
            if other.concurrently and other.columns == made.columns and not made.concurrently:
                return
            yield Hazard(
                f"{made.name or 'the index'} on {change.table} ({', '.join(made.columns)}) serves "
                f"nothing that {name} on ({', '.join(other.columns)}) does not",
                f"leave it out, or drop {name}",
            )
            return


def _is_plain(one: Index) -> bool:
    plain = not (one.unique or one.where or one.expressions)
    return bool(one.columns) and plain and one.method in ("", "btree")
