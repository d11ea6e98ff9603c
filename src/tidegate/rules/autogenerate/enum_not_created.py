"""A column of a native enum type is added, and nothing creates the type.

`op.add_column` with `sa.Enum` does not create the type on PostgreSQL: the migration fails with
"type ... does not exist". Create it first: `sa.Enum(..., name="...").create(op.get_bind())`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import POSTGRESQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AddColumn, Opaque

RULE = Rule(
    "error",
    on=(AddColumn,),
    vendors=POSTGRESQL,
    examples=(
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column("state", sa.Enum("new", "paid", name="state")))""",
            good="""sa.Enum("new", "paid", name="state").create(op.get_bind())
op.add_column("orders", sa.Column("state", sa.Enum("new", "paid", name="state")))""",
            applies=False,
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    column = moment.change.column
    if moment.django or moment.operation.sql or not column.enum_name:
        return
    if column.enum_name in moment.types or column.enum_name.startswith("?"):
        return
    if any(isinstance(one.change, Opaque) for one in moment.step.moments):
        return
    values = ", ".join(f'"{one}"' for one in column.enum)
    yield Hazard(
        f"nothing creates the type {column.enum_name}: add_column does not, and the migration fails "
        f'with "type {column.enum_name} does not exist"',
        f'write first: sa.Enum({values}, name="{column.enum_name}").create(op.get_bind(), '
        "checkfirst=True)",
    )
