"""What an operation of Alembic's is called with, and what is known when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tidegate.model.operation import Change
from tidegate.model.schema import Schema
from tidegate.reading.migrations.alembic_columns import name_of
from tidegate.reading.migrations.record import Said

Changes = Iterator[Change]


class Now(NamedTuple):
    """The schema before the operation, and the database it is for."""

    schema: Schema
    vendor: str


def args_of(said: Said, *names: str) -> list[Any]:
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


def table_of(said: Said, value: Any, key: str = "schema") -> str:
    """Return a table by its name, with its schema unless that is the usual one."""
    schema = said.kwargs.get(key)
    if schema is None and said.batch is not None:
        schema = said.batch[1].get("schema")
    name = name_of(value)
    return f"{schema}.{name}" if isinstance(schema, str) and schema != "public" else name
