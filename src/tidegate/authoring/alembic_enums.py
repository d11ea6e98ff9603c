"""PostgreSQL's enum types: autogenerate neither makes, changes nor drops them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tidegate.authoring import alembic_values
from tidegate.authoring.alembic_renames import Found
from tidegate.authoring.job import Answers, Outcome

USERS = (
    "SELECT n.nspname::text, c.relname::text, a.attname::text, t.typname::text, "
    "tn.nspname::text, a.attndims > 0, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a "
    "JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_type y ON y.oid = a.atttypid JOIN pg_type t ON t.oid IN (y.oid, y.typelem) "
    "AND t.typtype = 'e' JOIN pg_namespace tn ON tn.oid = t.typnamespace "
    "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
    "WHERE NOT a.attisdropped AND a.attnum > 0 ORDER BY 1, 2, 3"
)


class Type(NamedTuple):
    """An enum type. `schema` is None where the search path finds it."""

    schema: str | None
    name: str
    values: tuple[str, ...]

    @property
    def key(self) -> tuple[str | None, str]:
        """What makes it the same type."""
        return self.schema, self.name


class User(NamedTuple):
    """A column of an enum type, in the database."""

    schema: str
    table: str
    column: str
    array: bool
    default: str | None
    new_default: str | None = None
    changed: bool = False

    @property
    def new(self) -> str | None:
        """The default that it has afterwards."""
        return self.new_default if self.changed else self.default


def find_renames(context: Any, metadatas: Sequence[Any], answers: Answers, found: Found) -> None:
    """Note the values that are, or may be, renamed."""
    if context.dialect.name != "postgresql":
        return
    wanted = {one.key: one for metadata in metadatas for one in _of_models(metadata)}
    there, _ = _of_database(context)
    for key in sorted(set(wanted) & set(there), key=str):
        alembic_values.find(context, there[key], wanted[key], answers, found)


def complete(context: Any, upgrade: Any, metadatas: Sequence[Any], outcome: Outcome) -> None:
    """Make, change and drop types where the operations need it."""
    if context.dialect.name != "postgresql":
        return
    wanted = {one.key: one for metadata in metadatas for one in _of_models(metadata)}
    there, users = _of_database(context)
    _not_made_twice(upgrade, there)
    for key in sorted(set(wanted) & set(there), key=str):
        alembic_values.change(
            context, upgrade, (there[key], wanted[key]), users.get(key, []), outcome
        )
    for key in sorted(set(wanted) - set(there), key=str):
        _make(context, upgrade, wanted[key], outcome)
    for key in sorted(set(there) - set(wanted), key=str):
        _drop(context, upgrade, there[key], users.get(key, []), outcome)


def _enum_of(type: Any) -> Any:
    """Return the native enum type that a column's type is, or holds."""
    from sqlalchemy import ARRAY, Enum
    from sqlalchemy.types import TypeDecorator

    while isinstance(type, TypeDecorator):
        type = type.impl  # `impl_instance` came with SQLAlchemy 2
    if isinstance(type, ARRAY):
        type = type.item_type
    return type if isinstance(type, Enum) and type.native_enum and type.name else None


def _of_models(metadata: Any) -> Iterator[Type]:
    for table in metadata.tables.values():
        for column in table.columns:
            found = _enum_of(column.type)
            if found is not None:
                yield Type(found.schema, str(found.name), tuple(found.enums))


def _of_database(
    context: Any,
) -> tuple[dict[tuple[str | None, str], Type], dict[tuple[str | None, str], list[User]]]:
    from sqlalchemy import inspect

    types: dict[tuple[str | None, str], Type] = {}
    for one in inspect(context.connection).get_enums(schema="*"):
        places = [one["schema"], *([None] if one["visible"] else [])]
        for schema in places:
            types[schema, one["name"]] = Type(schema, one["name"], tuple(one["labels"]))
    users: dict[tuple[str | None, str], list[User]] = {}
    for schema, table, column, name, place, array, default in context.connection.exec_driver_sql(
        USERS
    ).all():
        for key in ((place, name), (None, name)):
            if key in types:
                users.setdefault(key, []).append(User(schema, table, column, array, default))
    return types, users


def uses(operation: Any, key: tuple[str | None, str]) -> Iterator[Any]:
    """Yield the columns of a CreateTableOp or an AddColumnOp that are of the type."""
    columns = operation.columns if hasattr(operation, "columns") else [operation.column]
    for one in columns:
        found = _enum_of(getattr(one, "type", None))
        if found is not None and (found.schema, str(found.name)) == key:
            yield one


def _named(kind: Any, operations: Sequence[Any]) -> Iterator[Any]:
    for one in operations:
        if isinstance(one, kind):
            yield one
        yield from _named(kind, getattr(one, "ops", ()))


def _not_made_twice(upgrade: Any, there: Any) -> None:
    """`create_table` makes its enum types, whether they are there or not: tell it not to."""
    from alembic.operations import ops

    for one in _named(ops.CreateTableOp, upgrade.ops):
        for key in there:
            _bare(one, key)
    for one in _named(ops.DropTableOp, upgrade.ops):
        for column in getattr(one._reverse, "columns", ()):
            found = _enum_of(getattr(column, "type", None))
            if found is not None:
                _bare(one._reverse, (found.schema, str(found.name)))


def _bare(operation: Any, key: tuple[str | None, str]) -> None:
    """Give the columns of the type one that `create_table` makes nothing for."""
    from sqlalchemy import ARRAY

    from tidegate.authoring.alembic_ops import Bare

    for column in uses(operation, key):
        old = _enum_of(column.type)
        new = Bare(*old.enums, name=old.name, schema=old.schema, create_type=False)
        column.type = ARRAY(new) if isinstance(column.type, ARRAY) else new


def _make(context: Any, upgrade: Any, type: Type, outcome: Outcome) -> None:
    """Make a type that a new table or column needs."""
    from alembic.operations import ops

    from tidegate.authoring.alembic_ops import Sql

    created = [one for one in _named(ops.CreateTableOp, upgrade.ops)
               if list(uses(one, type.key))]  # fmt: skip
    added = [one for one in _named(ops.AddColumnOp, upgrade.ops) if list(uses(one, type.key))]
    altered = [one for one in _named(ops.AlterColumnOp, upgrade.ops)
               if (found := _enum_of(one.modify_type)) is not None
               and (found.schema, str(found.name)) == type.key]  # fmt: skip
    name = alembic_values.shown(context, type)
    drop = f"DROP TYPE {name}"
    for one in altered:
        alembic_values.cast(context, upgrade, one, name)
    if not added and not altered and len(created) == 1:
        # create_table makes the type itself; drop_table leaves it behind.
        upgrade.ops.insert(upgrade.ops.index(created[0]), Sql("", drop))
        outcome.notes.append(f"the type {name}: dropped again by downgrade()")
    elif created or added or altered:
        for one in created:
            _bare(one, type.key)
        upgrade.ops.insert(0, Sql(alembic_values.create(context, type), drop))
        outcome.notes.append(f"the type {name}: made before the column that needs it")


def _drop(context: Any, upgrade: Any, type: Type, users: Sequence[User], outcome: Outcome) -> None:
    """Drop a type with the last column that is of it."""
    from alembic.operations import ops

    from tidegate.authoring.alembic_ops import Sql

    default = str(context.dialect.default_schema_name or "public")
    if type.schema == default or not users:
        return  # known by its short name as well; or nobody's of this project
    tables = {(one.schema or default, one.table_name)
              for one in _named(ops.DropTableOp, upgrade.ops)}  # fmt: skip
    columns = {(one.schema or default, one.table_name, one.column_name)
               for one in _named(ops.DropColumnOp, upgrade.ops)}  # fmt: skip
    if all((one.schema, one.table) in tables or (one.schema, one.table, one.column) in columns
           for one in users):  # fmt: skip
        name = alembic_values.shown(context, type)
        upgrade.ops.append(Sql(f"DROP TYPE {name}", alembic_values.create(context, type)))
        outcome.notes.append(f"the type {name}: dropped with the last column of it")
