"""SQL text into changes: by PostgreSQL's own grammar, else through sqlglot, else said unread."""

from __future__ import annotations

from tidegate.model.operation import Change, Opaque
from tidegate.reading.migrations import sql_other, sql_postgresql

MISSING = "no SQL parser is installed: pip install 'tidegate[check]'"


def changes(sql: str, vendor: str) -> list[Change]:
    """Return what each statement of `sql` does."""
    if not sql.strip():
        return []
    found = sql_postgresql.changes(sql) if vendor == "postgresql" else None
    if found is None:
        found = sql_other.changes(sql, vendor)
    return [Opaque("SQL", MISSING)] if found is None else found
