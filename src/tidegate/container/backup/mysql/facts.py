"""What a MySQL database holds, as facts that a restored copy can be compared with."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from tidegate.container.backup.mysql.client import Client, quoted

HERE = "table_schema = DATABASE()"
# MySQL keeps what it says of tables for a day; MariaDB leaves such a comment out.
FRESH = "/*!80000 SET SESSION information_schema_stats_expiry = 0 */;\n"
TABLES = (
    "SELECT table_name, engine, auto_increment, data_length FROM information_schema.tables "
    f"WHERE {HERE} AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1"
)
# Each: kind, then name and definition; the rows of one name belong together.
SCHEMA = {
    "table": "SELECT table_name, CONCAT_WS(' ', column_name, column_type, is_nullable, "
    "IFNULL(column_default, '-'), extra, IFNULL(collation_name, ''), "
    f"IFNULL(generation_expression, '')) FROM information_schema.columns WHERE {HERE} "
    "ORDER BY table_name, ordinal_position",
    "index": "SELECT CONCAT(table_name, ' ', index_name), CONCAT_WS(' ', IFNULL(column_name, ''), "
    "IFNULL(sub_part, ''), non_unique, index_type) FROM information_schema.statistics "
    f"WHERE {HERE} ORDER BY table_name, index_name, seq_in_index",
    "constraint": "SELECT CONCAT(k.table_name, ' ', k.constraint_name), CONCAT_WS(' ', "
    "k.column_name, k.referenced_table_name, k.referenced_column_name, r.update_rule, "
    "r.delete_rule) FROM information_schema.key_column_usage k "
    "JOIN information_schema.referential_constraints r ON r.constraint_schema = k.table_schema "
    "AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name "
    f"WHERE k.{HERE} AND k.referenced_table_name IS NOT NULL "
    "ORDER BY k.table_name, k.constraint_name, k.ordinal_position",
    "check": "SELECT constraint_name, check_clause FROM information_schema.check_constraints "
    "WHERE constraint_schema = DATABASE() ORDER BY constraint_name, check_clause",
    "trigger": "SELECT trigger_name, CONCAT_WS(' ', action_timing, event_manipulation, "
    "event_object_table, action_statement) FROM information_schema.triggers "
    "WHERE trigger_schema = DATABASE() ORDER BY trigger_name",
    "view": "SELECT table_name, view_definition FROM information_schema.views "
    f"WHERE {HERE} ORDER BY table_name",
    "function": "SELECT routine_name, CONCAT_WS(' ', routine_type, IFNULL(dtd_identifier, ''), "
    "routine_definition) FROM information_schema.routines WHERE routine_schema = DATABASE() "
    "ORDER BY routine_name, routine_type",
    "event": "SELECT event_name, CONCAT_WS(' ', event_definition, IFNULL(interval_value, ''), "
    "IFNULL(interval_field, '')) FROM information_schema.events "
    "WHERE event_schema = DATABASE() ORDER BY event_name",
}
CODE = ("trigger", "view", "function", "event")
"""What a rename of tables does not move."""


def tables(client: Client) -> dict[str, tuple[str, int, int]]:
    """Return the tables: engine, next number, bytes."""
    rows = client.query(FRESH + TABLES)
    return {str(name): (str(engine), int(number or 0), int(size or 0))
            for name, engine, number, size in rows}  # fmt: skip


def counts(client: Client) -> dict[str, int]:
    """Return the rows of each table, of one moment where the engines have such."""
    names = list(tables(client))
    if not names:
        return {}
    asked = [f"SELECT {number}, count(*) FROM {quoted(name)}" for number, name in enumerate(names)]
    rows = client.query(";\n".join(["START TRANSACTION WITH CONSISTENT SNAPSHOT", *asked]))
    return {names[int(number or 0)]: int(count or 0) for number, count in rows}


def shape(client: Client) -> dict[str, Any]:
    """Return the schema's digests, and where the numbers of each table stand."""
    found = tables(client)
    numbers = {name: number for name, (_, number, _) in found.items() if number}
    return {"sequences": numbers, "schema": schema(client)}


def objects(client: Client, *kinds: str) -> list[tuple[str | None, ...]]:
    """Return (kind, name, definition) of what the database has of these kinds, by one login."""
    asked = [SCHEMA[kind].replace("SELECT ", f"SELECT '{kind}', ", 1) for kind in kinds]
    return list(client.query(";\n".join(asked)))


def filled(client: Client, names: Iterable[str]) -> set[str]:
    """Return which of these tables have rows."""
    listed = list(names)
    asked = [f"SELECT {number}, EXISTS (SELECT 1 FROM {quoted(name)})"
             for number, name in enumerate(listed)]  # fmt: skip
    rows = client.query(";\n".join(asked)) if asked else []
    return {listed[int(number or 0)] for number, some in rows if some == "1"}


def schema(client: Client) -> dict[str, str]:
    """Return a digest of each object's definition."""
    texts: dict[str, list[str]] = {}
    own = f"{quoted(client.connection.name)}."
    for kind, name, text in objects(client, *SCHEMA):
        texts.setdefault(f"{kind} {name}", []).append((text or "").replace(own, ""))
    return {name: sha256("\n".join(parts).encode()).hexdigest()[:16]
            for name, parts in texts.items()}  # fmt: skip
