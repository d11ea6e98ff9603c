"""What autogenerate misses: the models are built beside the database, and both catalogues compared.

On PostgreSQL in schemas of their own, inside the savepoint that is taken back; on SQLite in memory.
The server writes both expressions in its own words, so nothing has to be parsed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from tidegate.authoring import alembic_facts
from tidegate.authoring.alembic_facts import Facts, Pairs, same, unmatched
from tidegate.authoring.job import Outcome, Refusal


def add_missed(context: Any, upgrade: Any, metadatas: Sequence[Any], outcome: Outcome) -> Pairs:
    """Add the operations that are missing; return what was compared."""
    try:
        pairs = list(_pairs(context, metadatas))
    except Exception as error:  # the project's own DDL: nothing of it is ours to correct
        first = next(iter(str(error).splitlines()), "")
        outcome.notes.append(
            "server defaults, CHECKs, computed columns and keys were not compared: the models can't "
            f"be built on a scratch schema ({type(error).__name__}: {first})"
        )
        return []
    for table, have, want in pairs:
        ops = _ops_of(upgrade, table)
        _defaults(table, have, want, ops, outcome)
        _computed(context, table, have, want, ops, outcome)
        _checks(context, table, have, want, ops, outcome)
    upgrade.ops[:] = [one for one in upgrade.ops if getattr(one, "ops", True)]
    return pairs


def _pairs(context: Any, metadatas: Sequence[Any]) -> Iterator[tuple[Any, Facts, Facts]]:
    from alembic.autogenerate.api import AutogenContext

    reading = _postgresql if context.dialect.name == "postgresql" else _sqlite
    for metadata in metadatas:
        have, want = reading(context, metadata)
        filters = AutogenContext(context, metadata=metadata)
        for table in metadata.sorted_tables:
            key = (table.schema, table.name)
            if key in have and key in want and filters.run_object_filters(
                table, table.name, "table", False, table
            ):  # fmt: skip
                yield table, have[key], want[key]


Read = dict[tuple[str | None, str], Facts]


def _postgresql(context: Any, metadata: Any) -> tuple[Read, Read]:
    connection = context.connection
    default = str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    schemas = {one.schema for one in metadata.tables.values()} | {None}
    mark = secrets.token_hex(3)
    places = {one: f"tidegate_make_{mark}_{n}" for n, one in enumerate(sorted(schemas, key=str))}
    have: Read = {}
    want: Read = {}
    for schema in schemas:
        for name, facts in alembic_facts.postgresql(connection, schema or default).items():
            have[schema, name] = facts
    before = connection.get_execution_options().get("schema_translate_map")
    connection.exec_driver_sql("SAVEPOINT tidegate_models")
    try:
        path = str(connection.exec_driver_sql("SHOW search_path").scalar_one())
        for place in places.values():
            connection.exec_driver_sql(f"CREATE SCHEMA {place}")
        connection.exec_driver_sql(f"SET LOCAL search_path = {places[None]}, {path}")
        connection.execution_options(schema_translate_map=places)
        metadata.create_all(connection, checkfirst=False)
        for schema, place in places.items():
            for name, facts in alembic_facts.postgresql(connection, place, place).items():
                want[schema, name] = facts
    finally:
        connection.execution_options(schema_translate_map=before or {})
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT tidegate_models")
        connection.exec_driver_sql("RELEASE SAVEPOINT tidegate_models")
    return have, want


def _sqlite(context: Any, metadata: Any) -> tuple[Read, Read]:
    import sqlite3

    from sqlalchemy import create_engine, inspect
    from sqlalchemy.pool import StaticPool

    # With a creator of its own no listener can send it to another database.
    engine = create_engine("sqlite://", poolclass=StaticPool,
                           creator=lambda: sqlite3.connect(":memory:"))  # fmt: skip
    try:
        metadata.create_all(engine)
        want = alembic_facts.sqlite(inspect(engine))
    finally:
        engine.dispose()
    have = alembic_facts.sqlite(inspect(context.connection))
    return ({(None, name): one for name, one in have.items()},
            {(None, name): one for name, one in want.items()})  # fmt: skip


def _ops_of(upgrade: Any, table: Any) -> list[Any]:
    from alembic.operations import ops

    for one in upgrade.ops:
        if isinstance(one, ops.ModifyTableOps) and (one.table_name, one.schema) == (
            table.name, table.schema
        ):  # fmt: skip
            return list_of(one)
    made = ops.ModifyTableOps(table.name, [], schema=table.schema)
    upgrade.ops.append(made)
    return list_of(made)


def list_of(container: Any) -> list[Any]:
    """Return the operations of a container, to be changed in place."""
    found: list[Any] = container.ops
    return found


def _defaults(table: Any, have: Facts, want: Facts, ops: list[Any], outcome: Outcome) -> None:
    from alembic.operations.ops import AlterColumnOp
    from sqlalchemy import DefaultClause, text

    for column in table.columns:
        name = column.name
        if name not in have.columns or name not in want.columns:
            continue
        old, new = have.defaults.get(name), want.defaults.get(name)
        numbered = any("nextval(" in (one or "") for one in (old, new))
        if name in have.computed or name in want.computed or numbered or same(old, new):
            continue
        known = next((one for one in ops if isinstance(one, AlterColumnOp)
                      and one.column_name == name), None)  # fmt: skip
        if known is not None and known.modify_server_default is not False:
            continue
        if known is None:
            known = AlterColumnOp(
                table.name, name, schema=table.schema, existing_type=column.type,
                existing_nullable=column.nullable,
            )  # fmt: skip
            ops.append(known)
        known.existing_server_default = DefaultClause(text(old)) if old is not None else None
        known.modify_server_default = column.server_default if new is not None else None
        outcome.notes.append(
            f"{table.name}.{name}: the database's default is {old or 'none'}, the model's "
            f"{new or 'none'}"
        )


def _computed(
    context: Any, table: Any, have: Facts, want: Facts, ops: list[Any], outcome: Outcome
) -> None:
    for column in table.columns:
        name = column.name
        if name not in have.columns or name not in want.columns:
            continue
        old, new = have.computed.get(name), want.computed.get(name)
        if same(old, new):
            continue
        if old is None or new is None or context.dialect.name != "postgresql":
            became = f"computed as {new}" if new else "a plain column"
            outcome.refusals.append(Refusal(
                f"{table.name}.{name} becomes {became}, which no ALTER does",
                f"Autogenerate passes it over. In the database it is {old or 'a plain column'}.",
                "write the steps by hand: --empty, with a new column beside it",
            ))  # fmt: skip
            continue
        using = [one["name"] for one in _inspector(context).get_indexes(table.name, table.schema)
                 if name in one["column_names"]]  # fmt: skip
        using += [check for check, (_, columns) in have.checks.items() if name in columns]
        if using:
            outcome.refusals.append(Refusal(
                f"{table.name}.{name} is computed as {new} now, and can't be replaced",
                f"A computed column is changed by dropping and adding it, and {', '.join(using)} "
                "would go with it.",
                f"drop {using[0]} in a migration of its own first",
            ))  # fmt: skip
            continue
        ops += _replaced(table, column, old, have.stored[name])
        outcome.notes.append(f"{table.name}.{name} is computed as {new} now, and was as {old}")


def _replaced(table: Any, column: Any, old: str, stored: bool) -> list[Any]:
    from alembic.operations import ops
    from sqlalchemy import Column, Computed

    before = Column(column.name, column.type, Computed(old, persisted=stored),
                    nullable=column.nullable)  # fmt: skip
    back = ops.AddColumnOp(table.name, before, schema=table.schema)
    drop = ops.DropColumnOp(table.name, column.name, schema=table.schema, _reverse=back)
    return [drop, ops.AddColumnOp.from_column_and_tablename(table.schema, table.name, column)]


def _inspector(context: Any) -> Any:
    from sqlalchemy import inspect

    return inspect(context.connection)


def _checks(
    context: Any, table: Any, have: Facts, want: Facts, ops: list[Any], outcome: Outcome
) -> None:
    from tidegate.authoring.alembic_ops import Check

    known = {str(getattr(one, "constraint_name", "")) for one in ops}
    added = {one.column.name for one in ops if type(one).__name__ == "AddColumnOp"}
    dropped = {one.column_name for one in ops if type(one).__name__ == "DropColumnOp"}
    bound = _bound(context, table, added)
    gone, come = unmatched(have.checks, want.checks)
    for name in gone:
        text, columns = have.checks[name]
        if name not in known and not (columns and columns <= dropped):
            ops.insert(0, Check(table.name, table.schema, name, text, False))
            outcome.notes.append(f"{table.name}: CHECK ({text}) is not in the models")
    for name in come:
        text, _ = want.checks[name]
        if name not in known | bound:
            ops.append(Check(table.name, table.schema, name, text, True))
            outcome.notes.append(f"{table.name}: CHECK ({text}) is not in the database")
    _unnamed(table, have, want, outcome)


def _bound(context: Any, table: Any, added: set[str]) -> set[str]:
    """Return the CHECKs that come with a new column's own type: add_column makes those."""
    found = set()
    for one in table.constraints:
        if getattr(one, "_type_bound", False):
            names = {column.name for column in getattr(one, "columns", ())}
            if names & added:
                found.add(str(context.dialect.identifier_preparer.format_constraint(one) or ""))
                found.update(f"{table.name}_{column}_check" for column in names)
    return found


def _unnamed(table: Any, have: Facts, want: Facts, outcome: Outcome) -> None:
    """SQLite finds a CHECK by its name only."""
    old, new = list(have.unnamed), list(want.unnamed)
    for text in list(new):
        twin = next((one for one in old if same(one, text)), None)
        if twin is not None:
            old.remove(twin)
            new.remove(text)
    for text, word in [(one, "in the models") for one in new] + [
        (one, "in the database") for one in old
    ]:
        outcome.refusals.append(Refusal(
            f"CHECK ({text}) of {table.name} is only {word}, and has no name",
            "SQLite changes a CHECK by making the table anew, where it is found by its name.",
            f'give it one: CheckConstraint("...", name="{table.name}_...")'
            + ("" if word == "in the models" else ", in the migration that made it as well"),
        ))  # fmt: skip
