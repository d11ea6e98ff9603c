"""Operations that Alembic can't render or take back by itself, for new revisions."""

from __future__ import annotations

import re
from typing import Any

from alembic.autogenerate import renderers
from alembic.operations import ops


class Sql(ops.ExecuteSQLOp):
    """A statement with the one that takes it back; "" where nothing has to."""

    def __init__(self, up: str, down: str) -> None:
        super().__init__(up)
        self.up, self.down = up, down

    def reverse(self) -> Sql:
        """Return the way back."""
        return Sql(self.down, self.up)


class Sqls(ops.MigrateOperation):
    """Statements in their order, with those that take them back in theirs."""

    def __init__(self, up: list[str], down: list[str], comment: str = "") -> None:
        self.up, self.down, self.comment = up, down, comment

    def reverse(self) -> Sqls:
        """Return the way back."""
        return Sqls(self.down, self.up)


class NewValues(ops.MigrateOperation):
    """Values added to an enum type: outside a transaction, so that the next statement may use them.

    There is no way back: PostgreSQL takes no value out of a type, and one more does no harm.
    """

    def __init__(self, type: str, statements: list[str], forward: bool = True) -> None:
        self.type, self.statements, self.forward = type, statements, forward

    def reverse(self) -> NewValues:
        """Return the way back: a line that says why there is none."""
        return NewValues(self.type, self.statements, not self.forward)


class RenameColumn(ops.MigrateOperation):
    """A column gets another name."""

    def __init__(self, table: str, old: str, new: str, schema: str | None) -> None:
        self.table, self.old, self.new, self.schema = table, old, new, schema

    def reverse(self) -> RenameColumn:
        """Return the way back."""
        return RenameColumn(self.table, self.new, self.old, self.schema)


class RenameTable(ops.MigrateOperation):
    """A table gets another name."""

    def __init__(self, old: str, new: str, schema: str | None) -> None:
        self.old, self.new, self.schema = old, new, schema

    def reverse(self) -> RenameTable:
        """Return the way back."""
        return RenameTable(self.new, self.old, self.schema)


class KeyMoved(ops.MigrateOperation):
    """The primary key is another set of columns."""

    def __init__(self, table: str, schema: str | None, old: Any, new: Any) -> None:
        self.table, self.schema, self.old, self.new = table, schema, old, new

    def reverse(self) -> KeyMoved:
        """Return the way back."""
        return KeyMoved(self.table, self.schema, self.new, self.old)


class Check(ops.MigrateOperation):
    """A CHECK comes or goes."""

    def __init__(self, table: str, schema: str | None, name: str, text: str, added: bool) -> None:
        self.table, self.schema, self.constraint_name = table, schema, name
        self.text, self.added = text, added

    def reverse(self) -> Check:
        """Return the way back."""
        return Check(self.table, self.schema, self.constraint_name, self.text, not self.added)


@renderers.dispatch_for(Check)
def _check(context: Any, op: Check) -> list[str]:
    batch = bool(context._has_batch)
    start = "batch_op" if batch else "op"
    place = "" if batch else f", {op.table!r}"
    more = f", schema={op.schema!r}" if op.schema and not batch else ""
    if op.added:
        name = op.constraint_name
        return [f"{start}.create_check_constraint({name!r}{place}, {op.text!r}{more})"]
    return [f"{start}.drop_constraint({op.constraint_name!r}{place}, type_='check'{more})"]


@renderers.dispatch_for(Sql)
def _sql(context: Any, op: Sql) -> list[str]:
    return [_execute(op.up)] if op.up else []


def _execute(sql: str) -> str:
    """Return the call; a colon before a word would be a bind parameter to SQLAlchemy."""
    return f"op.execute({re.sub(r'(?<!:):(?=[A-Za-z_])', chr(92) + chr(92) + ':', sql)!r})"


@renderers.dispatch_for(Sqls)
def _sqls(context: Any, op: Sqls) -> list[str]:
    lines = [f"# {line}" for line in op.comment.splitlines()]
    return lines + [_execute(one) for one in op.up]


@renderers.dispatch_for(NewValues)
def _new_values(context: Any, op: NewValues) -> list[str]:
    if not op.forward:
        return [f"# PostgreSQL takes no value out of a type: {op.type} keeps it", "pass"]
    lines = [_execute(one) for one in op.statements]
    return ["with op.get_context().autocommit_block():", *lines, ""]


@renderers.dispatch_for(RenameColumn)
def _rename_column(context: Any, op: RenameColumn) -> list[str]:
    more = f", schema={op.schema!r}" if op.schema else ""
    return [f"op.alter_column({op.table!r}, {op.old!r}, new_column_name={op.new!r}{more})"]


@renderers.dispatch_for(RenameTable)
def _rename_table(context: Any, op: RenameTable) -> list[str]:
    more = f", schema={op.schema!r}" if op.schema else ""
    return [f"op.rename_table({op.old!r}, {op.new!r}{more})"]


@renderers.dispatch_for(KeyMoved)
def _key_moved(context: Any, op: KeyMoved) -> list[str]:
    batch = bool(context._has_batch)
    start = "batch_op" if batch else "op"
    place = "" if batch else f", {op.table!r}"
    more = f", schema={op.schema!r}" if op.schema and not batch else ""
    (old, _), (new, columns) = op.old, op.new
    return [
        f"{start}.drop_constraint({old!r}{place}, type_='primary'{more})",
        f"{start}.create_primary_key({new!r}{place}, {list(columns)!r}{more})",
    ]
