"""Alembic's operations as changes of the database, given the schema before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    Change,
    Code,
    Column,
    Constraint,
    CreateTable,
    CreateType,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Opaque,
    Operation,
    Reference,
    RenameColumn,
    RenameIndex,
    RenameTable,
    ValidateConstraint,
)
from tidegate.model.schema import Schema
from tidegate.reading.migrations import alembic_statements as statements
from tidegate.reading.migrations.alembic_alter import alter_column
from tidegate.reading.migrations.alembic_columns import (
    checks_of,
    column_of,
    constraint_of,
    index_of,
    name_of,
    names_of,
    not_null_of,
    text_of,
)
from tidegate.reading.migrations.alembic_words import Changes, Now, args_of, table_of
from tidegate.reading.migrations.kinds import Call, Unknown, is_made
from tidegate.reading.migrations.record import Record, Said

NAMED = (
    CreateTable, DropTable, RenameTable, AddColumn, DropColumn, RenameColumn, AlterColumn, AddIndex,
    AddConstraint, DropConstraint, ValidateConstraint,
)  # fmt: skip


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
            spelled = (
                said.name
                if said.name.startswith(("enum_", "query_", "shows"))
                else prefix + said.name
            )
            if handler is None:
                found: Changes = iter(
                    [Opaque(spelled, "it is not one of Alembic's own operations")]
                )
            else:
                found = handler(Now(self.schema, self.vendor), said)
            text = self._sql(said)
            for change in found:
                if isinstance(change, NAMED) and "" in _names(change):
                    change = Opaque(spelled, _why(said))
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


def _names(change: Change) -> tuple[str, ...]:
    """Return the names without which nothing can be said of a change."""
    names = [getattr(change, one) for one in ("table", "column", "new") if hasattr(change, one)]
    return tuple(one.name if isinstance(one, Column) else one for one in names)


def _why(said: Said) -> str:
    """Return why a name can't be told."""
    for value in (*said.args, *said.kwargs.values(), *(said.batch or ())[:1]):
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, Unknown):
                return f"its names come from {one.why}" if "loop" in one.why else one.why
    return "its names are computed"


def _subject(change: Change) -> str:
    table = getattr(change, "table", "")
    column = getattr(change, "column", "")
    name = column.name if isinstance(column, Column) else column
    return f"{table}.{name}" if name else table


def _create_table(now: Now, said: Said) -> Changes:
    columns: list[Column] = []
    constraints: list[Constraint] = []
    indexes: list[Index] = []
    items = said.args[1:] if said.args else ()
    for one in items:
        column = column_of(one, now.vendor)
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
        if column.enum_name and now.vendor == "postgresql":
            yield CreateType(column.enum_name, column.enum)
    table = table_of(said, said.args[0] if said.args else said.kwargs.get("table_name"))
    yield CreateTable(table, tuple(columns), tuple(constraints), tuple(indexes),
                      said.kwargs.get("if_not_exists") is True)  # fmt: skip


def _drop_table(now: Now, said: Said) -> Changes:
    (table,) = args_of(said, "table_name")
    yield DropTable(table_of(said, table))


def _rename_table(now: Now, said: Said) -> Changes:
    old, new = args_of(said, "old_table_name", "new_table_name")
    yield RenameTable(table_of(said, old), name_of(new))


def _add_column(now: Now, said: Said) -> Changes:
    table, made = args_of(said, "table_name", "column")
    column = column_of(made, now.vendor)
    if column is None:
        yield Opaque(said.name, "the column is made elsewhere")
        return
    name = table_of(said, table)
    yield AddColumn(name, column)
    for check in checks_of(made):
        yield AddConstraint(name, check._replace(columns=(column.name,)), "the column's CHECK")
    if column.reference is not None:  # Alembic sends it as a statement of its own
        key = Constraint("foreign-key", "", (column.name,), column.reference)
        yield AddConstraint(name, key, "the column's ForeignKey")
    if column.unique:
        yield AddConstraint(name, Constraint("unique", "", (column.name,)), "unique=True")
    if column.indexed:
        yield AddIndex(name, Index(f"ix_{name}_{column.name}", (column.name,)), "index=True")


def _drop_column(now: Now, said: Said) -> Changes:
    table, column = args_of(said, "table_name", "column_name")
    yield DropColumn(table_of(said, table), name_of(column))


def _create_index(now: Now, said: Said) -> Changes:
    name, table, columns = args_of(said, "index_name", "table_name", "columns")
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
    yield AddIndex(table_of(said, table), index, if_not_exists=exists)


def _has_unique(said: Said) -> bool:
    return said.batch is None and len(said.args) > 3 and isinstance(said.args[3], bool)


def _drop_index(now: Now, said: Said) -> Changes:
    name, table = args_of(said, "index_name", "table_name")
    concurrently = said.kwargs.get("postgresql_concurrently") is True
    yield DropIndex(table_of(said, table), name_of(name), concurrently)


def _create_unique(now: Now, said: Said) -> Changes:
    name, table, columns = args_of(said, "constraint_name", "table_name", "columns")
    made = Constraint("unique", name_of(name), names_of(columns))
    yield AddConstraint(table_of(said, table), made)


def _create_foreign_key(now: Now, said: Said) -> Changes:
    name, table, target, local, remote = args_of(
        said, "constraint_name", "source_table", "referent_table", "local_cols", "remote_cols"
    )
    referent = table_of(said, target, "referent_schema")
    made = Constraint(
        "foreign-key",
        name_of(name),
        names_of(local),
        Reference(referent, names_of(remote)),
        valid=said.kwargs.get("postgresql_not_valid") is not True,
    )
    yield AddConstraint(table_of(said, table, "source_schema"), made)


def _create_check(now: Now, said: Said) -> Changes:
    name, table, condition = args_of(said, "constraint_name", "table_name", "condition")
    text = name_of(condition)
    valid = said.kwargs.get("postgresql_not_valid") is not True
    made = Constraint("check", name_of(name), text=text, valid=valid, not_null_of=not_null_of(text))
    yield AddConstraint(table_of(said, table), made)


def _create_key(now: Now, said: Said) -> Changes:
    name, table, columns = args_of(said, "constraint_name", "table_name", "columns")
    made = Constraint("primary-key", name_of(name), names_of(columns))
    yield AddConstraint(table_of(said, table), made)


def _create_exclude(now: Now, said: Said) -> Changes:
    name, table = args_of(said, "constraint_name", "table_name")
    yield AddConstraint(table_of(said, table), Constraint("exclude", name_of(name)))


def _drop_constraint(now: Now, said: Said) -> Changes:
    name, table, kind = args_of(said, "constraint_name", "table_name", "type_")
    kinds = {"foreignkey": "foreign-key", "primary": "primary-key"}
    word = name_of(kind) if kind else ""
    yield DropConstraint(table_of(said, table), name_of(name), kinds.get(word, word))


_HANDLERS: dict[str, Callable[[Now, Said], Changes]] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "rename_table": _rename_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": alter_column,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_unique_constraint": _create_unique,
    "create_foreign_key": _create_foreign_key,
    "create_check_constraint": _create_check,
    "create_primary_key": _create_key,
    "create_exclude_constraint": _create_exclude,
    "drop_constraint": _drop_constraint,
    "execute": statements.execute,
    "bulk_insert": statements.bulk_insert,
    "query_update": statements.query_write,
    "query_delete": statements.query_write,
    "enum_create": statements.enum_create,
    "enum_drop": statements.enum_drop,
    "foreign_call": statements.foreign,
    "create_all": statements.create_all,
    "code": statements.code,
    "shows": statements.shows,
    "create_table_comment": statements.comment,
    "drop_table_comment": statements.comment,
}
