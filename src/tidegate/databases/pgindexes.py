"""Indexes that are built or dropped concurrently: what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.databases.pgclasses import IndexWork

Run = Callable[[str], Sequence[Sequence[object]]]


@dataclass(frozen=True, slots=True)
class Index:
    """An index as it stands; `name` may be written into SQL as it is."""

    name: str
    table: int
    valid: bool


def look(run: Run, work: IndexWork) -> Index | None:
    """Return the index that a statement makes or drops, where there is one."""
    if work.makes:
        where = f"i.indrelid = to_regclass('{_text(work.table)}') AND c.relname = '{_last(work)}'"
    else:
        where = f"c.oid = to_regclass('{_text(work.name)}')"
    rows = run(
        "SELECT c.oid::regclass::text, i.indrelid::bigint, i.indisvalid::text FROM pg_index i "
        f"JOIN pg_class c ON c.oid = i.indexrelid WHERE {where}"
    )
    if not rows:
        return None
    name, table, valid = rows[0]
    return Index(str(name), int(str(table)), str(valid) == "true")


def builders(index: Index) -> str:
    """Return the question who else holds the lock under which an index is built."""
    return (
        "SELECT l.pid FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
        f"WHERE l.relation = {index.table} AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted "
        "AND l.pid <> pg_backend_pid() AND coalesce(a.backend_type, '') <> 'autovacuum worker' "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def _text(name: str) -> str:
    return name.replace("'", "''")


def _last(work: IndexWork) -> str:
    """Return an index's own name, as the catalogue has it."""
    name = work.name.strip()
    if name.endswith('"'):
        quoted = name[name[:-1].replace('""', "__").rindex('"') + 1 : -1]
        return _text(quoted.replace('""', '"'))
    return _text(name.rpartition(".")[2].strip().lower())
