"""Alembic's operations as changes of the database, given the schema before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    AlterType,
    Change,
    Code,
    Column,
    Constraint,
    CreateTable,
    CreateType,
    Data,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Nothing,
    Opaque,
    Operation,
    Reference,
    RenameColumn,
    RenameIndex,
    RenameTable,
)
from tidegate.model.schema import Schema
from tidegate.reading.migrations import sql
from tidegate.reading.migrations.alembic_columns import (
    column_of,
    constraint_of,
    default_of,
    index_of,
    name_of,
    names_of,
    not_null_of,
    text_of,
    type_of,
)
from tidegate.reading.migrations.record import Record, Said
from tidegate.reading.migrations.values import Call, is_made

Changes = Iterator[Change]


class AlembicReplay:
    """Turns Records into Operations, given the schema, which moves on with each."""

    def __init__(self, schema: Schema, vendor: str) -> None:
        self.schema = schema
        self.vendor = vendor

    def operations(self, record: Record, backward: bool = False) -> Iterator[Operation]:
        """Yield what a revision does, in order; apply each before you ask for the next."""
        for said in record.backward if backward else record.forward:
            if said.vendors and self.vendor not in said.vendors:
                continue
            handler = _HANDLERS.get(said.name)
            prefix = "batch_op." if said.batch else "op."
            spelled = said.name if said.name.startswith(("enum_", "query_")) else prefix + said.name
            if handler is None:
                found: Changes = iter(
                    [Opaque(spelled, "it is not one of Alembic's own operations")]
                )
            else:
                found = handler(self, said)
            text = self._sql(said)
            for change in found:
                yield Operation(
                    self._with_owner(change), said.span, spelled, said.transaction,
                    said.vendors, said.maybe, sql=text,
                    subject=_subject(change), batch=said.batch is not None,
                )  # fmt: skip
        traits = record.traits.get("upgrade", ())
        if traits and not backward:
            yield Operation(Code("upgrade", traits), record.title, "upgrade")

    def _sql(self, said: Said) -> str:
        text = text_of(said.args[0]) if said.name == "execute" and said.args else ""
        return text if isinstance(text, str) else ""

    def _with_owner(self, change: Change) -> Change:
        if isinstance(change, DropIndex | RenameIndex) and not change.table:
            return change._replace(table=self.schema.owner_of_index(change.name))
        return change

    def _before(self, table: str, column: str, kwargs: dict[str, Any]) -> Column | None:
        """Return the column as replay knows it, or as `existing_...` says it is."""
        known = self.schema.table(table)
        found = known.columns.get(column) if known else None
        if found is not None and (found.type or "existing_type" not in kwargs):
            return found
        if "existing_type" not in kwargs and "existing_nullable" not in kwargs:
            return found
        type = type_of(kwargs.get("existing_type"), self.vendor)[0]
        nullable = kwargs.get("existing_nullable") is not False
        default = default_of(kwargs.get("existing_server_default"))[0]
        return (found or Column(column))._replace(type=type, nullable=nullable, default=default)


def _subject(change: Change) -> str:
    table = getattr(change, "table", "")
    column = getattr(change, "column", "")
    name = column.name if isinstance(column, Column) else column
    return f"{table}.{name}" if name else table


def _args(said: Said, *names: str) -> list[Any]:
    """Return arguments by position or keyword; in batch mode the table is the batch's."""
    wanted = list(names)
    given: dict[str, Any] = {}
    positional = list(said.args)
    if said.batch is not None:
        given["table_name"] = said.batch[0]
        wanted = [one for one in wanted if one not in ("table_name", "source_table")]
        given["source_table"] = said.batch[0]
    for name, value in zip(wanted, positional, strict=False):
        given[name] = value
    return [given.get(name, said.kwargs.get(name)) for name in names]


def _table(said: Said, value: Any, key: str = "schema") -> str:
    schema = said.kwargs.get(key)
    if schema is None and said.batch is not None:
        schema = said.batch[1].get("schema")
    name = name_of(value)
    return f"{schema}.{name}" if isinstance(schema, str) and schema != "public" else name


def _create_table(self: AlembicReplay, said: Said) -> Changes:
    columns: list[Column] = []
    constraints: list[Constraint] = []
    indexes: list[Index] = []
    items = said.args[1:] if said.args else ()
    for one in items:
        column = column_of(one, self.vendor)
        constraint = constraint_of(one)
        if column is not None:
            columns.append(column)
        elif constraint is not None:
            constraints.append(constraint)
        elif isinstance(one, Call) and one.last == "Index":
            indexes.append(index_of(one))
    keys = {name for one in constraints if one.kind == "primary-key" for name in one.columns}
    columns = [
        one._replace(
            primary_key=True, nullable=False, identity=one.type in ("integer", "bigint", "smallint")
        )
        if one.name in keys
        else one
        for one in columns
    ]
    for column in columns:
        if column.enum_name and self.vendor == "postgresql":
            yield CreateType(column.enum_name, column.enum)
    table = _table(said, said.args[0] if said.args else said.kwargs.get("table_name"))
    yield CreateTable(table, tuple(columns), tuple(constraints), tuple(indexes),
                      said.kwargs.get("if_not_exists") is True)  # fmt: skip


def _drop_table(self: AlembicReplay, said: Said) -> Changes:
    (table,) = _args(said, "table_name")
    yield DropTable(_table(said, table))


def _rename_table(self: AlembicReplay, said: Said) -> Changes:
    old, new = _args(said, "old_table_name", "new_table_name")
    yield RenameTable(_table(said, old), name_of(new))


def _add_column(self: AlembicReplay, said: Said) -> Changes:
    table, made = _args(said, "table_name", "column")
    column = column_of(made, self.vendor)
    if column is None:
        yield Opaque(said.name, "the column is made elsewhere")
        return
    name = _table(said, table)
    yield AddColumn(name, column)
    if column.reference is not None:  # Alembic sends it as a statement of its own
        key = Constraint("foreign-key", "", (column.name,), column.reference)
        yield AddConstraint(name, key, "the column's ForeignKey")
    if column.unique:
        yield AddConstraint(name, Constraint("unique", "", (column.name,)), "unique=True")
    if column.indexed:
        yield AddIndex(name, Index(f"ix_{name}_{column.name}", (column.name,)), "index=True")


def _drop_column(self: AlembicReplay, said: Said) -> Changes:
    table, column = _args(said, "table_name", "column_name")
    yield DropColumn(_table(said, table), name_of(column))


def _alter_column(self: AlembicReplay, said: Said) -> Changes:
    raw, named = _args(said, "table_name", "column_name")
    table, column, kwargs = _table(said, raw), name_of(named), said.kwargs
    before = self._before(table, column, kwargs)
    type: str | None = None
    enum: tuple[str, ...] = ()
    if kwargs.get("type_") is not None:
        type, enum, _, _ = type_of(kwargs["type_"], self.vendor)
    nullable = kwargs.get("nullable")
    default, text = None, ""
    if "server_default" in kwargs:
        value = kwargs["server_default"]
        default, text = default_of(value)
        if isinstance(value, Call) and value.last == "Identity":
            default = None
    change = AlterColumn(
        table, column, before, type, nullable if isinstance(nullable, bool) else None,
        default, text,
        using="" if _is_plain(kwargs.get("postgresql_using"), column) else "using",
        identity=True if kwargs.get("autoincrement") is True else None,
        enum=enum,
    )  # fmt: skip
    if change[3:6] != (None, None, None) or change.identity:
        yield change
    new = kwargs.get("new_column_name", kwargs.get("name"))
    if new is not None and name_of(new) != column:
        yield RenameColumn(table, column, name_of(new))
    if change[3:6] == (None, None, None) and new is None:
        yield Nothing("field", table, column)


def _is_plain(using: Any, column: str) -> bool:
    """Whether `postgresql_using` is the column itself, or a cast of it."""
    if using is None:
        return True
    cast = rf"\(?\"?{re.escape(column)}\"?\)?(::[\w .()\"\[\],]+)*"
    return isinstance(using, str) and re.fullmatch(cast, using.strip()) is not None


def _create_index(self: AlembicReplay, said: Said) -> Changes:
    name, table, columns = _args(said, "index_name", "table_name", "columns")
    names = names_of(columns)
    plain = isinstance(columns, list | tuple) and not is_made(columns)
    index = Index(
        name_of(name),
        names,
        said.kwargs.get("unique", said.args[3] if _has_unique(said) else False) is True,
        said.kwargs.get("postgresql_concurrently") is True,
        str(said.kwargs.get("postgresql_using") or "btree"),
        "postgresql_where" in said.kwargs,
        plain and len(names) < len(columns),
    )
    exists = said.kwargs.get("if_not_exists") is True
    yield AddIndex(_table(said, table), index, if_not_exists=exists)


def _has_unique(said: Said) -> bool:
    return said.batch is None and len(said.args) > 3 and isinstance(said.args[3], bool)


def _drop_index(self: AlembicReplay, said: Said) -> Changes:
    name, table = _args(said, "index_name", "table_name")
    concurrently = said.kwargs.get("postgresql_concurrently") is True
    yield DropIndex(_table(said, table), name_of(name), concurrently)


def _create_unique(self: AlembicReplay, said: Said) -> Changes:
    name, table, columns = _args(said, "constraint_name", "table_name", "columns")
    made = Constraint("unique", name_of(name), names_of(columns))
    yield AddConstraint(_table(said, table), made)


def _create_foreign_key(self: AlembicReplay, said: Said) -> Changes:
    name, table, target, local, remote = _args(
        said, "constraint_name", "source_table", "referent_table", "local_cols", "remote_cols"
    )
    referent = _table(said, target, "referent_schema")
    made = Constraint(
        "foreign-key",
        name_of(name),
        names_of(local),
        Reference(referent, names_of(remote)),
        valid=said.kwargs.get("postgresql_not_valid") is not True,
    )
    yield AddConstraint(_table(said, table, "source_schema"), made)


def _create_check(self: AlembicReplay, said: Said) -> Changes:
    name, table, condition = _args(said, "constraint_name", "table_name", "condition")
    text = name_of(condition)
    valid = said.kwargs.get("postgresql_not_valid") is not True
    made = Constraint("check", name_of(name), text=text, valid=valid, not_null_of=not_null_of(text))
    yield AddConstraint(_table(said, table), made)


def _create_key(self: AlembicReplay, said: Said) -> Changes:
    name, table, columns = _args(said, "constraint_name", "table_name", "columns")
    made = Constraint("primary-key", name_of(name), names_of(columns))
    yield AddConstraint(_table(said, table), made)


def _create_exclude(self: AlembicReplay, said: Said) -> Changes:
    name, table = _args(said, "constraint_name", "table_name")
    yield AddConstraint(_table(said, table), Constraint("exclude", name_of(name)))


def _drop_constraint(self: AlembicReplay, said: Said) -> Changes:
    name, table, kind = _args(said, "constraint_name", "table_name", "type_")
    kinds = {"foreignkey": "foreign-key", "primary": "primary-key"}
    word = name_of(kind) if kind else ""
    yield DropConstraint(_table(said, table), name_of(name), kinds.get(word, word))


def _execute(self: AlembicReplay, said: Said) -> Changes:
    value = said.args[0] if said.args else said.kwargs.get("sqltext")
    if isinstance(value, Call):
        made = _construct(value)
        if made is not None:
            yield made
            return
    text = text_of(value)
    if isinstance(text, str):
        yield from sql.changes(text, self.vendor)
    else:
        yield Opaque("SQL", text.why)


def _construct(value: Call) -> Change | None:
    """Return what a SQLAlchemy statement does: `table.update().where(...)` and its like."""
    names: list[str] = []
    root: Any = value
    first: Call = value
    while isinstance(root, Call):
        names.append(root.last)
        first = root
        if root.last in ("table", "Table"):
            break
        if root.receiver is None and "." in root.name:
            root = root.name.rpartition(".")[0]
            break
        root = root.receiver
    verb = next((one for one in ("update", "delete", "insert") if one in names), "")
    if not verb:
        return Nothing("query") if {"select", "query"} & set(names) else None
    target = first.args[0] if first.last == verb and first.args else root
    table = target.args[0] if isinstance(target, Call) and target.args else target
    bounded = bool({"where", "filter", "filter_by"} & set(names)) or verb == "insert"
    return Data(verb, table if isinstance(table, str) else "", bounded)


def _query_write(self: AlembicReplay, said: Said) -> Changes:
    names: list[str] = []
    root = said.args[0] if said.args else None
    while isinstance(root, Call):
        names.append(root.last)
        root = root.receiver
    bounded = bool({"filter", "filter_by", "where"} & set(names))
    yield Data(said.name.removeprefix("query_"), "", bounded)


def _bulk_insert(self: AlembicReplay, said: Said) -> Changes:
    target = said.args[0] if said.args else None
    table = target.args[0] if isinstance(target, Call) and target.args else ""
    yield Data("insert", name_of(table) if table else "")


def _enum_create(self: AlembicReplay, said: Said) -> Changes:
    _, values, name, _ = type_of(said.args[0], self.vendor)
    yield CreateType(name or "?enum", values)


def _enum_drop(self: AlembicReplay, said: Said) -> Changes:
    name = type_of(said.args[0], self.vendor)[2]
    yield AlterType(name, "drop")


def _foreign(self: AlembicReplay, said: Said) -> Changes:
    name = said.kwargs.get("foreign", "")
    yield Opaque(str(name), f"{name}() is another module's function")


def _comment(self: AlembicReplay, said: Said) -> Changes:
    yield Nothing("comment")


def _create_all(self: AlembicReplay, said: Said) -> Changes:
    yield Opaque("create_all", "it makes the tables of models, as they are when it runs")


def _code(self: AlembicReplay, said: Said) -> Changes:
    yield Opaque("the function", "it works through code that is not one of Alembic's operations")


_HANDLERS: dict[str, Callable[[AlembicReplay, Said], Changes]] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "rename_table": _rename_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": _alter_column,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_unique_constraint": _create_unique,
    "create_foreign_key": _create_foreign_key,
    "create_check_constraint": _create_check,
    "create_primary_key": _create_key,
    "create_exclude_constraint": _create_exclude,
    "drop_constraint": _drop_constraint,
    "execute": _execute,
    "bulk_insert": _bulk_insert,
    "query_update": _query_write,
    "query_delete": _query_write,
    "enum_create": _enum_create,
    "enum_drop": _enum_drop,
    "foreign_call": _foreign,
    "create_all": _create_all,
    "code": _code,
    "create_table_comment": _comment,
    "drop_table_comment": _comment,
}
