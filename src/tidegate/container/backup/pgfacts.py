"""What a PostgreSQL database holds, as facts that a restored copy can be compared with.

A materialized view is filled anew when it comes back: its rows are no fact of the backup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from tidegate.contracts.database import Rows
from tidegate.databases.pgwire import quote_identifier

Query = Callable[[str], Rows]

_OWN = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{catalog}'::regclass "
    "AND d.objid = {oid} AND d.deptype = 'e')"
)
_TABLES = _OWN.format(catalog="pg_class", oid="c.oid")
TABLES = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE c.relkind = 'r' AND {_TABLES} ORDER BY 1, 2"
)
SEQUENCES = (
    "SELECT n.nspname, c.relname, s.seqincrement < 0 OR s.seqcycle FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid "
    f"WHERE c.relkind = 'S' AND {_TABLES} ORDER BY 1, 2"
)
_ON_TABLE = f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_TABLES}"
# Each: kind, name, definition. Definitions of views and functions are the server's own rendering.
SCHEMA = {
    "table": "SELECT format('%I.%I', n.nspname, c.relname), c.relkind::text || string_agg("
    "format('%I %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attnum) FROM pg_class c "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
    f"{_ON_TABLE} AND c.relkind IN ('r', 'p', 'm', 'f') GROUP BY n.nspname, c.relname, c.relkind",
    "constraint": "SELECT format('%I.%I %I', n.nspname, c.relname, k.conname), "
    "pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
    f"{_ON_TABLE} AND k.contype <> 'n'",
    "index": "SELECT format('%I.%I', n.nspname, x.relname), pg_get_indexdef(i.indexrelid) || "
    "i.indisvalid::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
    f"JOIN pg_class x ON x.oid = i.indexrelid {_ON_TABLE}",
    "trigger": "SELECT format('%I.%I %I', n.nspname, c.relname, t.tgname), "
    "pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    f"{_ON_TABLE} AND NOT t.tgisinternal",
    "view": "SELECT format('%I.%I', n.nspname, c.relname), pg_get_viewdef(c.oid) FROM pg_class c "
    f"{_ON_TABLE} AND c.relkind IN ('v', 'm')",
    "function": "SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p "
    "JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p') AND "
    + _OWN.format(catalog="pg_proc", oid="p.oid"),
    "type": "SELECT format('%I.%I', n.nspname, t.typname), string_agg(e.enumlabel, ',' "
    "ORDER BY e.enumsortorder) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
    "JOIN pg_enum e ON e.enumtypid = t.oid WHERE "
    + _OWN.format(catalog="pg_type", oid="t.oid")
    + " GROUP BY 1",
}
# Who is named by what comes back also where owners and grants do not.
ROLES = (
    "SELECT r.rolname FROM pg_policy p, unnest(p.polroles) o JOIN pg_roles r ON r.oid = o "
    "UNION SELECT usename FROM pg_user_mappings WHERE usename <> 'public' ORDER BY 1"
)
RENDERED = ("view", "function")  # another major version words them otherwise
FORM = 2
"""How definitions are digested. A server may word an expression otherwise once it has read its own
wording (`x IN ('a', 'b')` over a varchar): casts, parentheses and spaces are left out since 2."""
UNSURE = (*RENDERED, "constraint", "index", "trigger", "table")  # in manifests from before that
_CAST = re.compile(
    r"::(?:character varying|bit varying|double precision|time(?:stamp)?(?:\(\d+\))? "
    r'with(?:out)? time zone|(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)'
    r"(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*"
)
_LOOSE = str.maketrans("", "", "() \n\t")

NOW = """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')"""
"""The server's clock: the newest backup is the one that is brought back, and the clocks of the
machines that make them may differ."""


def begin(query: Query) -> dict[str, Any]:
    """Return where the sequences stand: they move on while the rest is read. And what a server
    needs that shall take the database in."""
    query("SET search_path = pg_catalog")
    query("SET row_security = off")  # an error is better than the count of what one may see
    ((encoding,),) = query("SHOW server_encoding")
    roles = [str(name) for (name,) in query(ROLES)]
    return {"sequences": sequences(query), "encoding": str(encoding), "roles": roles}


def gather(query: Query, form: int = FORM) -> dict[str, Any]:
    """Return row counts and the schema, as they are in the session's snapshot."""
    ((blobs,),) = query("SELECT count(*) FROM pg_largeobject_metadata")
    return {
        "tables": counts(query),
        "large_objects": int(str(blobs)),
        "schema_form": form,
        "schema": schema(query, form),
    }


def counts(query: Query) -> dict[str, int]:
    """Return the rows of each table, those of its children left out."""
    out = {}
    for space, name in query(TABLES):
        table = f"{quote_identifier(str(space))}.{quote_identifier(str(name))}"
        out[f"{space}.{name}"] = int(query(f"SELECT count(*) FROM ONLY {table}")[0][0] or 0)
    return out


def sequences(query: Query) -> dict[str, int | None]:
    """Return where each sequence stands, and None for those that do not only rise.

    They move outside of transactions, so that only a rise can be told from a loss.
    """
    out: dict[str, int | None] = {}
    for space, name, free in query(SEQUENCES):
        sequence = f"{quote_identifier(str(space))}.{quote_identifier(str(name))}"
        last = int(query(f"SELECT last_value FROM {sequence}")[0][0] or 0)
        out[f"{space}.{name}"] = None if free == "t" else last
    return out


def schema(query: Query, form: int = 1) -> dict[str, str]:
    """Return a digest of each object's definition."""
    out = {}
    for kind, sql in SCHEMA.items():
        for name, text in query(sql):
            said = loosely(text or "") if form > 1 else text or ""
            out[f"{kind} {name}"] = sha256(said.encode()).hexdigest()[:16]
    return out


def loosely(text: str) -> str:
    """Return a definition without what a server words now this way, now that."""
    return _CAST.sub("", text).translate(_LOOSE)


def is_view(manifest: Mapping[str, Any], table: str) -> bool:
    """Whether it is a materialized view: they were counted once."""
    space, _, name = table.partition(".")
    known = manifest["schema"]
    return any(f"view {a}.{b}" in known for a in (space, f'"{space}"') for b in (name, f'"{name}"'))


def differences(before: Mapping[str, Any], after: Mapping[str, Any], same_major: bool) -> list[str]:
    """Say in what a restored copy differs from what was backed up."""
    out = []
    for table in sorted(before["tables"].keys() | after["tables"].keys()):
        had, has = before["tables"].get(table), after["tables"].get(table)
        if had != has and not is_view(before, table):
            out.append(f"table {table}: {_rows(had)} were backed up, {_rows(has)} came back")
    had, has = before.get("large_objects"), after.get("large_objects")
    if had not in (None, has):
        out.append(f"large objects: {had} were backed up, {has} came back")
    for name, had in before["sequences"].items():
        if name not in after["sequences"]:
            out.append(f"sequence {name}: did not come back")
        elif had is not None and (has := after["sequences"][name]) is not None and has < had:
            out.append(f"sequence {name}: stood at {had}, came back at {has}")
    worded: tuple[str, ...] = () if same_major else RENDERED
    if before.get("vendor") == "postgresql" and before.get("schema_form", 1) < FORM:
        worded = UNSURE
    for name in sorted(before["schema"].keys() | after["schema"].keys()):
        had, has = before["schema"].get(name), after["schema"].get(name)
        if had is None or has is None:
            out.append(f"{name}: {'did not come back' if has is None else 'was not there before'}")
        elif had != has and name.split(" ")[0] not in worded:
            out.append(f"{name}: came back with another definition")
    return out


def _rows(count: int | None) -> str:
    return "no table" if count is None else f"{count} rows"
