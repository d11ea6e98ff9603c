"""A primary key that moves: autogenerate writes two changes of NULL, and leaves the key."""

from __future__ import annotations

from typing import Any

from tidegate.authoring.alembic_facts import Pairs
from tidegate.authoring.alembic_scratch import _ops_of
from tidegate.authoring.job import Outcome, Refusal

REFERRING = (
    "SELECT k.conname::text, k.conrelid::regclass::text FROM pg_constraint k "
    "JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p' AND p.conkey = k.confkey "
    "WHERE k.contype = 'f' AND c.relname = '{table}' AND n.nspname = coalesce({schema}, "
    "current_schema()) ORDER BY 1"
)


def move(context: Any, upgrade: Any, pairs: Pairs, outcome: Outcome) -> None:
    """Add what moves the key, or say why it can't be."""
    for table, have, want in pairs:
        (name, old), (new_name, new) = have.key, want.key
        if old == new or set(old) == set(new):
            continue
        shown = f"the primary key of {table.name} is ({', '.join(new)}), in the database " \
                f"({', '.join(old) or 'none'})"  # fmt: skip
        if context.dialect.name != "postgresql" or not old or not new:
            outcome.refusals.append(Refusal(
                shown,
                "Autogenerate writes changes of NULL for it, and leaves the key where it is."
                + (" SQLite has no ALTER for a key." if context.dialect.name == "sqlite" else ""),
                "make a table with the new key, copy the rows, and swap: --empty",
            ))  # fmt: skip
            continue
        users = _referring(context, table)
        if users:
            outcome.refusals.append(Refusal(
                shown,
                f"Foreign keys refer to the old one: {', '.join(users)}. It can't be dropped "
                "while they do.",
                "point them at a unique constraint, or at the new key, in migrations before this",
            ))  # fmt: skip
            continue
        _move(upgrade, table, (name, old), (new_name, new))
        outcome.notes.append(f"{shown}: moved")


def _move(upgrade: Any, table: Any, old: Any, new: Any) -> None:
    from alembic.operations.ops import AddColumnOp

    from tidegate.authoring.alembic_ops import KeyMoved

    ops = _ops_of(upgrade, table)
    at = max((n + 1 for n, one in enumerate(ops) if isinstance(one, AddColumnOp)), default=0)
    ops.insert(at, KeyMoved(table.name, table.schema, old, new))


def _referring(context: Any, table: Any) -> list[str]:
    schema = "'" + table.schema.replace("'", "''") + "'" if table.schema else "NULL"
    sql = REFERRING.format(table=table.name.replace("'", "''"), schema=schema)
    return [f"{name} of {where}" for name, where in context.connection.exec_driver_sql(sql).all()]
