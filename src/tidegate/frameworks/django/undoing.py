"""What the reverse of a migration's operations takes away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tidegate.model.undoing import Undo, loses


def undo_of(id: str, loader: Any) -> Undo:
    """Say what the reverse of one migration's operations does."""
    app, name = id.split(".", 1)
    migration = loader.disk_migrations[app, name]
    tables: list[str] = []
    columns: list[tuple[str, str]] = []
    hidden: list[str] = []
    takes = tuple(_taken(migration.operations))
    for operation in _database_operations(migration.operations):
        kind = type(operation).__name__
        if not operation.reversible:
            return Undo(id, f"{kind} has no reverse: {operation.describe()}", takes=takes)
        if kind == "CreateModel":
            tables.append(_table(loader, app, name, operation.name))
        elif kind == "AddField":
            table, column = _column(loader, app, name, operation)
            columns += [(table, column)] if column else []
        elif kind == "RunSQL":
            hidden += [text for text in _texts(operation.reverse_sql) if loses(text)]
        elif kind == "RunPython" and operation.reverse_code is operation.noop:
            continue
        elif kind not in HARMLESS:
            hidden.append(f"{kind}: {operation.describe()}")
    return Undo(id, "", tuple(tables), tuple(columns), tuple(hidden), takes)


def _taken(operations: Sequence[Any]) -> Iterator[str]:
    """Say what applying these operations takes away, or may."""
    for operation in _database_operations(operations):
        kind = type(operation).__name__
        if kind == "RunSQL":
            yield from (text for text in _texts(operation.sql) if loses(text))
        elif kind in ("DeleteModel", "RemoveField", "RunPython", "AlterField"):
            yield f"{kind}: {operation.describe()}"


HARMLESS = ("AddIndex", "RemoveIndex", "RenameIndex", "AddConstraint", "RemoveConstraint",
            "AlterModelOptions", "AlterModelManagers", "AlterOrderWithRespectTo", "RenameField",
            "RenameModel", "AlterModelTable", "AlterUniqueTogether", "AlterIndexTogether",
            "RemoveField", "DeleteModel", "AlterModelTableComment", "AddIndexConcurrently",
            "RemoveIndexConcurrently", "AddConstraintNotValid", "ValidateConstraint")  # fmt: skip


def _database_operations(operations: Sequence[Any]) -> Iterator[Any]:
    for operation in operations:
        if type(operation).__name__ == "SeparateDatabaseAndState":
            yield from _database_operations(operation.database_operations)
        else:
            yield operation


def _model(loader: Any, app: str, name: str, model: str) -> Any:
    """Return the model as it is after the migration."""
    state = loader.project_state([(app, name)])
    return state.apps.get_model(app, model)


def _table(loader: Any, app: str, name: str, model: str) -> str:
    try:
        return str(_model(loader, app, name, model)._meta.db_table)
    except Exception:  # a later operation of the same step renames or deletes it
        return f"{app}_{model.lower()}"


def _column(loader: Any, app: str, name: str, operation: Any) -> tuple[str, str]:
    try:
        meta = _model(loader, app, name, operation.model_name)._meta
        return str(meta.db_table), str(meta.get_field(operation.name).column or "")
    except Exception:
        return f"{app}_{operation.model_name}", str(operation.name)


def _texts(sql: Any) -> list[str]:
    if isinstance(sql, str):
        return [sql]
    return [str(one[0] if isinstance(one, list | tuple) else one) for one in sql or ()]
