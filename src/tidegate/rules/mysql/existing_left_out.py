"""An altered column is not told what it keeps.

MySQL writes a changed column anew as a whole, and Alembic takes what stays from the arguments
`existing_type`, `existing_nullable`, `existing_server_default` and `existing_autoincrement`. Without
the type the step fails. Without the others the column silently becomes nullable, and loses its
default or its AUTO_INCREMENT, while the models still say that it has them.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import MYSQL, Example, Hazard, Moment, Rule
from tidegate.model.operation import AlterColumn, Column

RULE = Rule(
    "error",
    on=(AlterColumn,),
    vendors=MYSQL,
    examples=(
        Example(
            "alembic",
            vendor="mysql",
            bad='op.alter_column("orders", "reference", type_=sa.String(60))',
            good="""op.alter_column(
    "orders", "reference", type_=sa.String(60), existing_type=sa.String(40), existing_nullable=False
)""",
        ),
        Example(
            "alembic",
            vendor="mysql",
            bad='op.alter_column("orders", "note", new_column_name="remark")',
            good="""op.alter_column(
    "orders", "note", new_column_name="remark", existing_type=sa.Text(), existing_nullable=True
)""",
            applies=False,
            companions=("column-renamed",),
        ),
        Example(
            "alembic",
            vendor="mysql",
            before='op.add_column("orders", sa.Column("n", sa.Integer(), server_default="0"))',
            bad='op.alter_column("orders", "n", comment="how many", existing_type=sa.Integer())',
            good="""op.alter_column(
    "orders", "n", comment="how many", existing_type=sa.Integer(), existing_server_default="0"
)""",
        ),
    ),
)


def examine(moment: Moment) -> Iterator[Hazard]:
    """Yield what is wrong with the operation."""
    change = moment.change
    name = f"{change.table}.{change.column}"
    if "type" in change.unsaid:
        type = change.before.type if change.before else ""
        kept = f" ({type})" if type else ""
        yield Hazard(
            f"the step fails: Alembic can't change {name} on MySQL without its type",
            f"say the type that it has{kept} as existing_type",
        )
        return
    lost = [words for what, words in _losses(change) if what in change.unsaid]
    if lost:
        yield Hazard(
            f"{name} loses {_listed([what for what, _ in lost])}: MySQL writes the column anew, and "
            "is not told of it",
            "add " + _listed([how for _, how in lost]),
        )


def _losses(change: AlterColumn) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what the column has, in words, and the argument that keeps it."""
    before = change.before
    if before is None:
        return
    if not before.nullable and not before.primary_key:
        yield "nullable", ("its NOT NULL", "existing_nullable=False")
    if before.default:
        yield "server_default", ("its default", f"existing_server_default={_written(before)}")
    if before.identity:
        yield "autoincrement", ("its AUTO_INCREMENT", "existing_autoincrement=True")


def _written(column: Column) -> str:
    """Return a default as an argument."""
    text = column.default_text
    if not text:
        return "the default that it has"
    computed = "(" in text or text.upper().startswith("CURRENT_")
    return f'sa.text("{text}")' if computed else f'"{text}"'


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
