"""Staged renames of Django's columns and tables: both names work for a release."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.model.finding import Finding
from tidegate.model.operation import (
    RenameColumn,
    RenameTable,
)
from tidegate.reading.migrations.django_fields import is_many, target_of
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.check.fixes_django import called
from tidegate.workflows.staging import batches, expand
from tidegate.workflows.staging.common import beside, later, of_finding
from tidegate.workflows.staging.django_files import divide
from tidegate.workflows.staging.django_rows import filling
from tidegate.workflows.staging.django_writing import (
    apart,
    call_of,
    sql,
)
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined, Stage, moved, quoted


def rename_column(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """A copy of the column under the new name, kept equal by a trigger, filled in batches."""
    at = of_finding(ats, one, RenameColumn)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, RenameColumn)
    if called(call) != "RenameField" or beside(ats, at):
        raise Declined("more than the name changes: give that a migration of its own")
    later(ats, at, change.table, change.new)
    made = expand.renamed(at.tables.get(change.table), change.table, change.column, change.new,
                          at.key(change.table))  # fmt: skip
    return divide(source, call, renaming(made, [moved(source, call)]),
                  "expand: both names work until `tidegate make --contract`")  # fmt: skip


def renaming(made: expand.Renamed, state: Sequence[str]) -> list[Stage]:
    """Return the stages of a column's renaming, up to the contract."""
    add, trigger = made.expand()
    constant = f"SYNC_{made.old}_{made.new}".upper()
    code = f'{constant} = """\\\n{made.function()}\n"""'
    set_, where = made.fill()
    batch = batches.Batched(made.table, set_, where, made.key)
    stages = [
        Stage("expand", (apart([sql([add, constant, trigger], made.undo())], state),), code=code),
        filling(f"fill_{made.new}", f"fill_{made.new}", batch),
    ]
    for name, columns in made.indexes:
        listed = ", ".join(quoted(column) for column in columns)
        create = f"CREATE INDEX CONCURRENTLY {quoted(name)} ON {quoted(made.table)} ({listed})"
        operation = sql([create], [f"DROP INDEX CONCURRENTLY IF EXISTS {quoted(name)}"])
        stages.append(Stage(name, (operation,), atomic=False, alone=True))
    return stages


def rename_table(source: Source, one: Finding, ats: Sequence[At]) -> Fixed:
    """The old name stays as a view for one release."""
    at = of_finding(ats, one, RenameTable)
    change, call = at.change, call_of(source, at)
    assert isinstance(change, RenameTable)
    if called(call) not in ("RenameModel", "AlterModelTable"):
        raise Declined("SQL in a string is left to its author")
    if any(isinstance(each, RenameTable) for each in beside(ats, at)) or _has_many(at):
        raise Declined("tables of many-to-many fields are renamed with it")
    view = sql([viewed(change.table, change.new)], [f"DROP VIEW {quoted(change.table)}"])
    stages = [Stage("", (moved(source, call), view))]
    return divide(source, call, stages, "the old name stays as a view until the next release")


def viewed(old: str, new: str) -> str:
    """Return the view that stands for a renamed table."""
    return f"CREATE VIEW {quoted(old)} AS SELECT * FROM {quoted(new)}"


def _has_many(at: At) -> bool:
    change = at.change
    assert isinstance(change, RenameTable)
    models = at.models.all if at.models else {}
    mine = {key for key, one in models.items() if one.table in (change.table, change.new)}
    user = at.models.user if at.models else ""
    for key, model in models.items():
        for field in model.fields.values():
            if is_many(field) and (
                key in mine or target_of(field, model.app, model.name, user) in mine
            ):
                return True
    return False
