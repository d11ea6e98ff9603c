"""How each change moves the replayed schema on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    AlterType,
    Column,
    Constraint,
    CreateTable,
    CreateType,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Operation,
    RenameColumn,
    RenameIndex,
    RenameTable,
    Statement,
    ValidateConstraint,
)
from tidegate.model.table import Table

if TYPE_CHECKING:
    from tidegate.model.schema import Schema


def _create(schema: Schema, change: CreateTable, step: str, operation: Operation) -> None:
    indexes = {one.name: one for one in change.indexes}
    for column in change.columns:
        if column.indexed and not column.unique:
            name = f"{change.table}_{column.name}_idx"
            indexes[name] = Index(name, (column.name,))
    schema.put(
        Table(
            change.table,
            step,
            {one.name: one for one in change.columns},
            indexes,
            {one.name or _auto(change.table, one): one for one in change.constraints},
        )
    )


def _auto(table: str, one: Constraint) -> str:
    return "_".join([table, *one.columns, one.kind])


def _drop_table(schema: Schema, change: DropTable, step: str, operation: Operation) -> None:
    found = schema.table(change.table)
    if found is None:
        return
    if operation.state_only:
        schema.put(found._replace(forgotten={**found.forgotten, "*": step}))
        return
    schema.tables.pop(found.name, None)


def _rename_table(schema: Schema, change: RenameTable, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    schema.tables.pop(found.name, None)
    schema.put(found._replace(name=change.new))


def _add_column(schema: Schema, change: AddColumn, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    columns = {**found.columns, change.column.name: change.column}
    forgotten = {key: value for key, value in found.forgotten.items() if key != change.column.name}
    name = change.column.name
    added = {**found.added_in, "column " + name: step, "new column " + name: step}
    schema.put(found._replace(columns=columns, forgotten=forgotten, added_in=added))


def _drop_column(schema: Schema, change: DropColumn, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    if operation.state_only:
        schema.put(found._replace(forgotten={**found.forgotten, change.column: step}))
        return
    gone = change.column
    schema.put(
        found._replace(
            columns={key: one for key, one in found.columns.items() if key != gone},
            indexes={key: one for key, one in found.indexes.items() if gone not in one.columns},
            constraints={
                key: one for key, one in found.constraints.items() if gone not in one.columns
            },
        )
    )


def _rename_column(schema: Schema, change: RenameColumn, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    old, new = change.column, change.new
    if operation.state_only and new in found.columns:  # the database holds both
        schema.put(found._replace(forgotten={**found.forgotten, old: step}))
        return

    def swap(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    columns = {
        (new if key == old else key): (one._replace(name=new) if key == old else one)
        for key, one in found.columns.items()
    }
    added = {
        (f"column {new}" if key == f"column {old}" else key): step
        for key, step in found.added_in.items()
        if key != f"column {new}" or f"column {old}" not in found.added_in
    }
    added.pop(f"new column {old}", None)
    added.pop(f"new column {new}", None)
    schema.put(
        found._replace(
            columns=columns,
            added_in=added,
            indexes={
                key: one._replace(columns=swap(one.columns)) for key, one in found.indexes.items()
            },
            constraints={
                key: one._replace(
                    columns=swap(one.columns),
                    not_null_of=new if one.not_null_of == old else one.not_null_of,
                )
                for key, one in found.constraints.items()
            },
        )
    )


def _alter_column(schema: Schema, change: AlterColumn, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    column = found.columns.get(change.column) or Column(change.column)
    if change.type is not None:
        column = column._replace(type=change.type, enum=change.enum)
    if change.nullable is not None:
        column = column._replace(nullable=change.nullable)
    if change.default is not None:
        column = column._replace(default=change.default, default_text=change.default_text)
    if change.identity is not None:
        column = column._replace(identity=change.identity)
    schema.put(found._replace(columns={**found.columns, change.column: column}))


def _add_index(schema: Schema, change: AddIndex, step: str, operation: Operation) -> None:
    if not change.table:
        return
    found = schema.known(change.table)
    name = change.made.name or "_".join([found.name, *change.made.columns, "idx"])
    schema.put(
        found._replace(
            indexes={**found.indexes, name: change.made},
            added_in={**found.added_in, name: step},
        )
    )


def _drop_index(schema: Schema, change: DropIndex, step: str, operation: Operation) -> None:
    owner = change.table or schema.owner_of_index(change.name)
    found = schema.table(owner) if owner else None
    if found is not None:
        kept = {key: one for key, one in found.indexes.items() if key != change.name}
        schema.put(found._replace(indexes=kept))


def _rename_index(schema: Schema, change: RenameIndex, step: str, operation: Operation) -> None:
    found = schema.table(change.table)
    if found is not None and change.name in found.indexes:
        kept = dict(found.indexes)
        kept[change.new] = kept.pop(change.name)._replace(name=change.new)
        schema.put(found._replace(indexes=kept))


def _add_constraint(schema: Schema, change: AddConstraint, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    name = change.constraint.name or _auto(found.name, change.constraint)
    schema.put(
        found._replace(
            constraints={**found.constraints, name: change.constraint},
            added_in={**found.added_in, name: step},
        )
    )


def _drop_constraint(
    schema: Schema, change: DropConstraint, step: str, operation: Operation
) -> None:
    found = schema.known(change.table)
    kept = {key: one for key, one in found.constraints.items() if key != change.name}
    columns = {
        key: one._replace(unique=False) if one.unique and change.name in _own(found, key) else one
        for key, one in found.columns.items()
    }
    schema.put(found._replace(constraints=kept, columns=columns))


def _own(table: Table, column: str) -> tuple[str, str]:
    """Return the names that a column's own UNIQUE has: as Django's is called here, and its own."""
    return f"{table.name}_{column}_unique", f"{table.name}_{column}_key"


def _validate(schema: Schema, change: ValidateConstraint, step: str, operation: Operation) -> None:
    found = schema.known(change.table)
    one = found.constraints.get(change.name)
    if one is not None:
        kept = {**found.constraints, change.name: one._replace(valid=True)}
        schema.put(found._replace(constraints=kept))


def _create_type(schema: Schema, change: CreateType, step: str, operation: Operation) -> None:
    schema.types[change.name] = change.values
    schema.types_made_in[change.name] = step


def _alter_type(schema: Schema, change: AlterType, step: str, operation: Operation) -> None:
    values = schema.types.get(change.name, ())
    if change.what == "add":
        schema.types[change.name] = (*values, change.value)
    elif change.what == "drop":
        schema.types.pop(change.name, None)
    elif change.what == "rename":
        schema.types[change.new] = schema.types.pop(change.name, ())
        _retype(schema, change.name, change.new)
    elif change.what == "rename-value":
        schema.types[change.name] = tuple(change.new if v == change.value else v for v in values)


def _retype(schema: Schema, old: str, new: str) -> None:
    """Let the columns of a type follow its new name: the old one may be another type's soon."""
    names = {old: new, f"{old}[]": f"{new}[]"}
    for table in list(schema.tables.values()):
        if any(one.type in names for one in table.columns.values()):
            columns = {
                key: one._replace(type=names.get(one.type, one.type))
                for key, one in table.columns.items()
            }
            schema.put(table._replace(columns=columns))


def _statement(schema: Schema, change: Statement, step: str, operation: Operation) -> None:
    made = schema.types_made_in
    verb, name = change.verb, change.name or change.table
    if verb in ("view", "create-materialized-view"):
        made["view " + name] = step
    elif verb == "create-function":
        made["function " + name] = step
        if change.detail == "trigger":
            made["trigger function " + name] = step
    elif verb == "trigger" and change.detail == "create":
        made["triggers on " + change.table] = step
    elif verb == "temporary-table" and schema.table(name) is None:
        schema.put(Table(name, step))  # nobody else sees it


HANDLERS: dict[type, Callable[[Schema, Any, str, Operation], None]] = {
    CreateTable: _create,
    DropTable: _drop_table,
    RenameTable: _rename_table,
    AddColumn: _add_column,
    DropColumn: _drop_column,
    RenameColumn: _rename_column,
    AlterColumn: _alter_column,
    AddIndex: _add_index,
    DropIndex: _drop_index,
    RenameIndex: _rename_index,
    AddConstraint: _add_constraint,
    DropConstraint: _drop_constraint,
    ValidateConstraint: _validate,
    CreateType: _create_type,
    AlterType: _alter_type,
    Statement: _statement,
}
