"""Renames that Alembic sees as something dropped and something added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.authoring.job import Answers, Outcome, Question
from tidegate.authoring.likeness import Part, after, candidates, compare_tables

MOST = 10_000  # rows that are looked at to say what a drop would lose


@dataclass(frozen=True, slots=True)
class Rename:
    """A rename that was said: of a table, or of a column where `table` is named."""

    old: str
    new: str
    schema: str | None = None
    table: str = ""

    def perform(self, context: Any) -> None:
        """Do it, on the database that is compared with."""
        from alembic.operations import Operations

        operations = Operations(context)
        if self.table:
            operations.alter_column(
                self.table, self.old, new_column_name=self.new, schema=self.schema
            )
        else:
            operations.rename_table(self.old, self.new, schema=self.schema)

    def operation(self) -> Any:
        """Return the operation that is written into the revision."""
        from tidegate.authoring.alembic_ops import RenameColumn, RenameTable

        if self.table:
            return RenameColumn(self.table, self.old, self.new, self.schema)
        return RenameTable(self.old, self.new, self.schema)


@dataclass(slots=True)
class Found:
    """What was answered and what was not."""

    given: list[Any] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def find(context: Any, upgrade: Any, answers: Answers) -> Found:
    """Return the renames that the operations may stand for."""
    found = Found()
    _tables(context, upgrade, answers, found)
    if found.given:
        return found  # the columns of a renamed table are compared next
    for table, schema, dropped, added in _changed_tables(upgrade):
        _columns(context, table, schema, dropped, added, answers, found)
    return found


def _tables(context: Any, upgrade: Any, answers: Answers, found: Found) -> None:
    from alembic.operations import ops

    dropped = [one for one in upgrade.ops if isinstance(one, ops.DropTableOp)]
    created = [one for one in upgrade.ops if isinstance(one, ops.CreateTableOp)]
    taken: set[str] = set()
    for one in dropped:
        old = _full(one.schema, one.table_name)
        news = {_full(new.schema, new.table_name): new for new in created
                if new.schema == one.schema and new.table_name not in taken}  # fmt: skip
        chosen = answers.new_name(old, news)
        if chosen:
            taken.add(news[chosen].table_name)
            found.given.append(Rename(one.table_name, news[chosen].table_name, one.schema))
            continue
        if answers.is_dropped(old):
            continue
        have = _types(context, one.to_table())
        likely = [
            like for name, new in news.items()
            if (like := compare_tables(have, _types(context, new.to_table()), old, name))
        ]  # fmt: skip
        if likely:
            likely.sort(key=lambda like: -like.likeness)
            found.questions.append(Question(
                "table", old, tuple(likely), _rows(context, one.schema, one.table_name),
                f"op.rename_table({one.table_name!r}, {likely[0].new!r})",
                f"op.drop_table({one.table_name!r}) and op.create_table({likely[0].new!r})",
            ))  # fmt: skip


def _changed_tables(upgrade: Any) -> Iterator[tuple[str, str | None, list[Any], list[Any]]]:
    from alembic.operations import ops

    for one in upgrade.ops:
        if isinstance(one, ops.ModifyTableOps):
            dropped = [op for op in one.ops if isinstance(op, ops.DropColumnOp)]
            added = [op for op in one.ops if isinstance(op, ops.AddColumnOp)]
            if dropped and added:
                yield one.table_name, one.schema, dropped, added


def _columns(
    context: Any,
    table: str,
    schema: str | None,
    dropped: Sequence[Any],
    added: Sequence[Any],
    answers: Answers,
    found: Found,
) -> None:
    from sqlalchemy import inspect

    whole = _full(schema, table)
    present = {one["name"]: one for one in inspect(context.connection).get_columns(table, schema)}
    kept = set(present) - {op.column_name for op in dropped}
    target = added[0].column.table
    order = [one.name for one in target.columns] if target is not None else []
    news = {f"{whole}.{op.column.name}": op.column for op in added}
    for op in dropped:
        old = f"{whole}.{op.column_name}"
        chosen = answers.new_name(old, news)
        if chosen:
            found.given.append(Rename(op.column_name, news.pop(chosen).name, schema, table))
            continue
        if answers.is_dropped(old):
            continue
        column = op.to_column()
        part = Part(old, _type(context, column.type), bool(column.nullable),
                    after(list(present), op.column_name, kept), _target(op.to_column()))  # fmt: skip
        likely = candidates(part, [
            Part(name, _type(context, one.type), bool(one.nullable), after(order, one.name, kept),
                 _target(one))
            for name, one in news.items()
        ])  # fmt: skip
        if likely:
            new = likely[0].new.rpartition(".")[2]
            found.questions.append(Question(
                "column", old, likely, _values(context, schema, table, op.column_name),
                f"op.alter_column({table!r}, {op.column_name!r}, new_column_name={new!r})",
                f"op.drop_column({table!r}, {op.column_name!r}) and op.add_column of {new}",
            ))  # fmt: skip


def join_indexes(context: Any, upgrade: Any, answers: Answers, outcome: Outcome) -> None:
    """An index that goes and the same one that comes under another name is a rename: certainly.

    Nothing is lost either way, but a rename takes no time and the table stays free.
    """
    from alembic.operations import ops

    if context.dialect.name != "postgresql":
        return
    from tidegate.authoring.alembic_ops import Sql

    for one in upgrade.ops:
        if not isinstance(one, ops.ModifyTableOps):
            continue
        for old in [op for op in one.ops if isinstance(op, ops.DropIndexOp)]:
            new = next((op for op in one.ops if isinstance(op, ops.CreateIndexOp)
                        and op.index_name != old.index_name
                        and _index(context, op) == _index(context, old)), None)  # fmt: skip
            if new is None or answers.is_dropped(str(old.index_name)):
                continue
            answers.new_name(str(old.index_name), [str(new.index_name)])
            quote = context.dialect.identifier_preparer.quote
            where = f"{quote(one.schema)}." if one.schema else ""
            before, behind = quote(str(old.index_name)), quote(str(new.index_name))
            at = one.ops.index(new)
            one.ops[at] = Sql(
                f"ALTER INDEX {where}{before} RENAME TO {behind}",
                f"ALTER INDEX {where}{behind} RENAME TO {before}",
            )
            one.ops.remove(old)
            outcome.notes.append(
                f"the index {old.index_name} is the same as {new.index_name}: renamed, not built"
            )


def _index(context: Any, op: Any) -> str:
    """Return how the index is made, without its name."""
    from sqlalchemy.schema import CreateIndex

    index = op.to_index()
    index.name = "x"
    text = str(CreateIndex(index).compile(dialect=context.dialect))
    return " ".join(text.split())


def _full(schema: str | None, name: str) -> str:
    return f"{schema}.{name}" if schema else name


def _type(context: Any, type: Any) -> str:
    try:
        return str(type.compile(dialect=context.dialect))
    except Exception:  # a type of the project's own that only renders with a value
        return str(type)


def _types(context: Any, table: Any) -> dict[str, str]:
    return {one.name: _type(context, one.type) for one in table.columns}


def _target(column: Any) -> str:
    return next((str(one.target_fullname) for one in column.foreign_keys), "")


def _values(context: Any, schema: str | None, table: str, column: str) -> str:
    """Say how many rows hold a value in a column."""
    quote = context.dialect.identifier_preparer.quote
    place = _full(quote(schema) if schema else None, quote(table))
    rows, values = _ask(
        context,
        f"SELECT count(*), count(c) FROM (SELECT {quote(column)} AS c FROM {place} "
        f"LIMIT {MOST}) AS part",
    )
    if not rows:
        return "the table is empty here"
    return f"{values} of {'the first ' if rows == MOST else ''}{rows} rows here hold a value"


def _rows(context: Any, schema: str | None, table: str) -> str:
    quote = context.dialect.identifier_preparer.quote
    place = _full(quote(schema) if schema else None, quote(table))
    (rows,) = _ask(context, f"SELECT count(*) FROM (SELECT 1 FROM {place} LIMIT {MOST}) AS part")
    if not rows:
        return "the table is empty here"
    return f"it holds {'at least ' if rows == MOST else ''}{rows} row{'s' * (rows != 1)} here"


def _ask(context: Any, sql: str) -> Sequence[int]:
    row: Sequence[int] = context.connection.exec_driver_sql(sql).one()
    return row
