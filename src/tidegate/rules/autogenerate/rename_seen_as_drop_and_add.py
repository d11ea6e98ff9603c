"""A column or table is dropped and another of the same type is added: perhaps a rename.

Autogenerate can't see a rename. Alembic always writes a drop and an add, Django does so with
`--noinput`; the values are lost. If it is a rename, say it: RenameField, RenameModel,
`op.alter_column(new_column_name=...)`, `op.rename_table`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tidegate.contracts.rule import Example, Hazard, Rule, StepView
from tidegate.model.operation import (
    AddColumn,
    Code,
    Column,
    CreateTable,
    Data,
    DropColumn,
    DropTable,
    Opaque,
)

ALIKE = 0.5  # of two names, where there is more than one pair
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
    likely = _likely(step, added)
    writes = any(isinstance(one.change, Data | Code | Opaque) for one in step.real())
    for moment in step.real():
        change, span = moment.change, moment.operation.span
        if writes:
            return  # the values are moved by hand
        if isinstance(change, DropColumn) and (change.table, change.column) in likely:
            new_name = likely[change.table, change.column]
            yield Hazard(
                f"{change.table}.{change.column} goes and {new_name} of the same "
                "type comes: if that is a rename, its values are lost",
                moment.say(
                    f"if it is a rename, write migrations.RenameField(..., "
                    f'"{change.column}", "{new_name}")',
                    f'if it is a rename, write op.alter_column("{change.table}", '
                    f'"{change.column}", new_column_name="{new_name}")',
                ),
                span=span,
            )
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


def _likely(step: StepView, added: Sequence[AddColumn]) -> dict[tuple[str, str], str]:
    """Return the new name of each dropped column that may be a rename, each new one once.

    Where it is not the only pair of its table the names have to be alike: of six columns that go
    for one that comes, five are no rename.
    """
    pairs: list[tuple[float, str, str, str]] = []
    for moment in step.real():
        change = moment.change
        if not isinstance(change, DropColumn) or not moment.is_old(change.table):
            continue
        table = moment.table(change.table)
        old = table.columns.get(change.column) if table else None
        for other in added:
            if old is not None and other.table == change.table and _same(old, other.column):
                near = _likeness(old.name, other.column.name)
                pairs.append((near, change.table, old.name, other.column.name))
    alone = {table for table, count in Counter(one[1] for one in pairs).items() if count == 1}
    out: dict[tuple[str, str], str] = {}
    for near, table_name, old_name, new_name in sorted(pairs, reverse=True):
        taken = {name for (table, _), name in out.items() if table == table_name}
        if new_name in taken or (table_name, old_name) in out:
            continue
        if near >= ALIKE or table_name in alone:
            out[table_name, old_name] = new_name
    return out


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one, other).ratio()


def _same(old: Column, new: Column) -> bool:
    """Whether the values of one could stand in the other; a key of another table could not."""
    there, here = old.reference, new.reference
    pointing = (there.table if there else "") == (here.table if here else "")
    alike = (old.type, old.nullable, old.unique) == (new.type, new.nullable, new.unique)
    return bool(old.type) and alike and pointing and old.name != new.name
