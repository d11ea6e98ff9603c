"""A column or table is dropped and another of the same type is added: perhaps a rename.

Autogenerate can't see a rename. Alembic always writes a drop and an add, Django does so with
`--noinput`; the values are lost. If it is a rename, say it: RenameField, RenameModel,
`op.alter_column(new_column_name=...)`, `op.rename_table`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.contracts.rule import Example, Hazard, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    Code,
    CreateTable,
    Data,
    DropColumn,
    DropTable,
    Opaque,
)

RULE = Rule(
    "warning",
    confidence="medium",
    companions=("column-dropped",),
    examples=(
        Example(
            "django",
            bad="""migrations.RemoveField("order", "note"),
migrations.AddField("order", "remark", models.TextField(null=True)),""",
            good='migrations.AddField("order", "remark", models.TextField(null=True)),',
        ),
        Example(
            "alembic",
            bad="""op.add_column("orders", sa.Column("remark", sa.Text()))
op.drop_column("orders", "note")""",
            good='op.add_column("orders", sa.Column("remark", sa.Text()))',
            line=2,
        ),
    ),
)


def examine_step(step: StepView) -> Iterator[Hazard]:
    """Yield what is wrong with the step."""
    added = [one.change for one in step.real() if isinstance(one.change, AddColumn)]
    made = [one.change for one in step.real() if isinstance(one.change, CreateTable)]
    writes = any(isinstance(one.change, Data | Code | Opaque) for one in step.real())
    for moment in step.real():
        change, span = moment.change, moment.operation.span
        if writes:
            return  # the values are moved by hand
        if isinstance(change, DropColumn) and moment.is_old(change.table):
            table = moment.table(change.table)
            old = table.columns.get(change.column) if table else None
            for other in added:
                same = old and other.table == change.table and other.column.type == old.type
                if same and old and old.type and other.column.nullable == old.nullable:
                    yield Hazard(
                        f"{change.table}.{change.column} goes and {other.column.name} of the same "
                        "type comes: if that is a rename, its values are lost",
                        moment.say(
                            f"if it is a rename, write migrations.RenameField(..., "
                            f'"{change.column}", "{other.column.name}")',
                            f'if it is a rename, write op.alter_column("{change.table}", '
                            f'"{change.column}", new_column_name="{other.column.name}")',
                        ),
                        span=span,
                    )
                    break
        elif isinstance(change, DropTable) and moment.is_old(change.table):
            table = moment.table(change.table)
            names = set(table.columns) if table else set()
            for new in made:
                columns = {one.name for one in new.columns}
                if len(names) > 2 and names == columns:
                    yield Hazard(
                        f"{change.table} goes and {new.table} with the same columns comes: if that "
                        "is a rename, its rows are lost",
                        moment.say(
                            "if it is a rename, write migrations.RenameModel(...)",
                            f'if it is a rename, write op.rename_table("{change.table}", '
                            f'"{new.table}")',
                        ),
                        span=span,
                    )
                    break
