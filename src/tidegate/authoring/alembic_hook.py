"""What autogenerate compared, looked through before it is written: `complete` reads as the story.

Renames are tried out on the database itself, inside a savepoint that is always taken back: what is
left to change after them is found by Alembic's own comparison.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tidegate.authoring import (
    alembic_drops,
    alembic_enums,
    alembic_keys,
    alembic_renames,
    alembic_scratch,
)
from tidegate.authoring.job import Answers, Outcome

OURS = "tidegate_"
DIALECTS = ("postgresql", "sqlite")


def complete(context: Any, directives: list[Any], answers: Answers, root: Path) -> Outcome:
    """Correct the operations of a new revision in place; return what can't be decided here."""
    outcome = Outcome()
    for script in directives:
        for upgrade, downgrade in zip(
            script.upgrade_ops_list, script.downgrade_ops_list, strict=True
        ):
            if getattr(upgrade, "_tidegate_completed", False):
                continue
            upgrade._tidegate_completed = True
            _complete(context, upgrade, answers, root, outcome)
            upgrade.reverse_into(downgrade)
    outcome.unused = answers.unused()
    return outcome


def _complete(context: Any, upgrade: Any, answers: Answers, root: Path, outcome: Outcome) -> None:
    metadata = context.opts.get("target_metadata")
    outcome.seen = sorted({name for one in _each(metadata) for name in one.tables})
    leave_out_ours(upgrade)
    if context.connection is None or metadata is None or context.dialect.name not in DIALECTS:
        return
    renamed: list[Any] = []
    with taken_back(context.connection):
        while True:
            found = alembic_renames.find(context, upgrade, answers)
            alembic_enums.find_renames(context, _each(metadata), answers, found)
            if not found.given:
                break
            for one in found.given:
                one.perform(context)
            renamed += found.given
            upgrade.ops[:] = _compared(context, metadata)
        outcome.questions += found.questions
        alembic_drops.refuse(context, upgrade, answers, root, outcome)
        pairs = alembic_scratch.add_missed(context, upgrade, _each(metadata), outcome)
        alembic_keys.move(context, upgrade, pairs, outcome)
        if not outcome.questions:
            alembic_enums.complete(context, upgrade, _each(metadata), outcome)
    alembic_renames.join_indexes(context, upgrade, answers, outcome)
    upgrade.ops[:] = [*(one.operation() for one in renamed), *upgrade.ops]
    _in_batches(context, upgrade, outcome)
    outcome.changes = list(_words(upgrade.ops))


def _compared(context: Any, metadata: Any) -> list[Any]:
    from alembic.autogenerate.api import produce_migrations

    upgrade = produce_migrations(context, metadata).upgrade_ops
    leave_out_ours(upgrade)
    return list(upgrade.ops)


def _each(metadata: Any) -> list[Any]:
    if metadata is None:
        return []
    return list(metadata) if isinstance(metadata, list | tuple) else [metadata]


def leave_out_ours(upgrade: Any) -> None:
    """Leave the ledger's tables alone: no model declares them."""
    upgrade.ops[:] = [
        one for one in upgrade.ops if not str(getattr(one, "table_name", "")).startswith(OURS)
    ]


@contextlib.contextmanager
def taken_back(connection: Any) -> Iterator[None]:
    """Give a savepoint and take everything back at its end."""
    # SQLite's driver opens no transaction for DDL by itself; a savepoint is one where none is open.
    connection.exec_driver_sql("SAVEPOINT tidegate_make")
    try:
        yield
    finally:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT tidegate_make")
        connection.exec_driver_sql("RELEASE SAVEPOINT tidegate_make")


def _in_batches(context: Any, upgrade: Any, outcome: Outcome) -> None:
    """SQLite alters nothing in place: Alembic makes the table anew, in batch mode."""
    if context.dialect.name != "sqlite" or context.opts.get("render_as_batch"):
        return
    from alembic.operations import ops

    plain = (ops.AddColumnOp, ops.CreateIndexOp, ops.DropIndexOp)
    if any(
        not isinstance(inner, plain)
        for one in upgrade.ops
        if isinstance(one, ops.ModifyTableOps)
        for inner in one.ops
    ):
        context.opts["render_as_batch"] = True
        outcome.notes.append("SQLite can't do this in place: written in batch mode")


def _words(operations: Sequence[Any]) -> Iterator[str]:
    """Say what each operation does: `add column orders.paid`."""
    for one in operations:
        if hasattr(one, "ops"):
            yield from _words(one.ops)
            continue
        if getattr(one, "up", None):
            yield "; ".join([one.up] if isinstance(one.up, str) else one.up)
            continue
        if getattr(one, "statements", None):
            yield "; ".join(one.statements)
            continue
        name = type(one).__name__.removesuffix("Op")
        verb = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
        if hasattr(one, "added"):
            verb = f"{'create' if one.added else 'drop'} {verb}"
        column = getattr(one, "column", None)
        inner = getattr(one, "column_name", None) or getattr(column, "name", None)
        table = getattr(one, "table_name", None) or getattr(one, "table", None) or ""
        own = getattr(one, "index_name", None) or getattr(one, "constraint_name", None)
        yield " ".join(filter(None, [
            verb, str(own) if own else "", "on" if own and table else "",
            f"{table}.{inner}" if inner else str(table), _altered(one),
        ]))  # fmt: skip


def _altered(operation: Any) -> str:
    """Say what an ALTER of a column changes."""
    parts = {"modify_type": "type", "modify_nullable": "NULL", "modify_comment": "comment",
             "modify_server_default": "default"}  # fmt: skip
    found = [word for name, word in parts.items()
             if getattr(operation, name, None) not in (None, False)
             or (name == "modify_server_default" and getattr(operation, name, False) is None)
             or (name == "modify_nullable" and getattr(operation, name, None) is False)]  # fmt: skip
    return f"({', '.join(found)})" if found else ""
