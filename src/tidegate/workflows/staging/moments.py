"""What the schema and the models were before each operation of one step."""

from __future__ import annotations

from typing import Any, NamedTuple

from tidegate.model.operation import AlterColumn, Change, Column, Nothing, Operation, Span
from tidegate.model.schema import Table
from tidegate.reading.migrations.django_state import Models
from tidegate.workflows.check.cache import Cache
from tidegate.workflows.check.chain import Chain
from tidegate.workflows.check.files import read_all
from tidegate.workflows.check.review import chains
from tidegate.workflows.check.settings import load
from tidegate.workflows.check.tree import Tree


class At(NamedTuple):
    """One operation, and the tables and (for Django) models as they were before it."""

    operation: Operation
    tables: dict[str, Table]
    models: Models | None
    vendor: str

    @property
    def change(self) -> Change:
        """The change itself."""
        return self.operation.change

    def column(self, table: str, name: str) -> Column | None:
        """Return a column as it was."""
        found = self.tables.get(table)
        return found.columns.get(name) if found else None

    def key(self, table: str) -> str:
        """Return the one column of a table's primary key; "" where there is not one, or more."""
        found = self.tables.get(table)
        if found is None:
            return ""
        keys = [one.name for one in found.columns.values() if one.primary_key]
        for one in found.constraints.values():
            if one.kind == "primary-key" and not keys:
                keys = list(one.columns)
        return keys[0] if len(keys) == 1 else ""


def before(tree: Tree, step: str, database: str) -> list[At]:
    """Return the operations of a step, each with what was before it."""
    settings = load(tree.root, database)
    found = read_all(tree.root, settings, Cache(tree.root, {"TIDEGATE_CACHE": "off"}), tree)
    for chain, _ in chains(found, settings):
        if step in chain.records:
            return _of_chain(chain, step)
    return []


def latest(tree: Tree, database: str) -> list[tuple[Chain, At]]:
    """Return each chain with the schema after all of its steps."""
    settings = load(tree.root, database)
    found = read_all(tree.root, settings, Cache(tree.root, {"TIDEGATE_CACHE": "off"}), tree)
    out = []
    for chain, _ in chains(found, settings):
        replay = chain.fresh_replay()
        for record in chain.order:
            if record.id in chain.skipped or record.problem:
                continue
            for operation in replay.operations(record):
                replay.schema.apply(operation, record.id)
        nothing = Operation(Nothing(), Span(1, 1, 1, 1))
        tables = dict(replay.schema.tables)
        out.append((chain, At(nothing, tables, _copied(replay), chain.vendor)))
    return out


def _of_chain(chain: Chain, step: str) -> list[At]:
    replay = chain.fresh_replay()
    out = []
    for record in chain.order:
        if record.id in chain.skipped or record.problem:
            continue
        for operation in replay.operations(record):
            if record.id == step:
                tables = dict(replay.schema.tables)
                known = _with_column(operation, tables)
                out.append(At(known, tables, _copied(replay), chain.vendor))
            replay.schema.apply(operation, record.id)
        if record.id == step:
            return out
    return out


def _copied(replay: Any) -> Models | None:
    """Return the models as they are now: a replay goes on changing its own."""
    if not hasattr(replay, "models"):
        return None
    out = Models(replay.models.user)
    out.all = dict(replay.models.all)
    return out


def _with_column(operation: Operation, tables: dict[str, Table]) -> Operation:
    change = operation.change
    if not isinstance(change, AlterColumn) or change.before is not None:
        return operation
    found = tables.get(change.table)
    known = found.columns.get(change.column) if found else None
    return operation._replace(change=change._replace(before=known))
