"""What a change of a column's type does on PostgreSQL: nothing, a scan, or a rewrite.

https://www.postgresql.org/docs/current/sql-altertable.html, Notes: no rewrite where the old type
is binary coercible to the new one and the new one has no constraint that old values may break.
"""

from __future__ import annotations

import re

ALIASES = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint",
    "character varying": "varchar", "character": "char", "bpchar": "char", "bool": "boolean",
    "decimal": "numeric", "double": "double precision", "float8": "double precision",
    "float4": "real", "float": "double precision",
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
    "time with time zone": "timetz", "time without time zone": "time", "string": "varchar",
    "datetime": "timestamp", "serial": "integer", "serial4": "integer", "bigserial": "bigint",
    "serial8": "bigint", "smallserial": "smallint", "serial2": "smallint", "blob": "bytea",
}  # fmt: skip
SHAPE = re.compile(r"([a-z_][\w .\"]*?)\s*(?:\(([^)]*)\))?((?:\[\d*\])*)$")
WIDTHS = {"smallint": 2, "integer": 4, "bigint": 8}
STRINGS = ("varchar", "text", "citext")


def normal(text: str) -> str:
    """Return a type as this module compares it."""
    text = " ".join(text.strip().lower().replace("pg_catalog.", "").split())
    match = SHAPE.match(text)
    if not match:
        return text
    name, params, array = match.groups()
    name = ALIASES.get(name, name)
    inside = ",".join(part.strip() for part in params.split(",")) if params else ""
    return f"{name}({inside}){array}" if inside else name + array


def parts(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the type's name and its numbers."""
    match = SHAPE.match(text)
    if not match:
        return text, ()
    name, params, array = match.groups()
    numbers = tuple(int(p) for p in (params or "").split(",") if p.strip().lstrip("-").isdigit())
    return name + array, numbers


def change(old: str, new: str) -> str:
    """Return what PostgreSQL does: "same", "free", "rewrite", or "unknown"."""
    if not old or not new:
        return "unknown"
    (a, x), (b, y) = parts(normal(old)), parts(normal(new))
    if (a, x) == (b, y):
        return "same"
    if a in STRINGS and b in STRINGS:
        if not y:
            return "free"
        return "free" if a == b == "varchar" and x and y[0] >= x[0] else "rewrite"
    if a == b == "numeric":
        if not y:
            return "free"
        scale = (x[1] if len(x) > 1 else 0, y[1] if len(y) > 1 else 0)
        return "free" if x and scale[0] == scale[1] and y[0] >= x[0] else "rewrite"
    if a == b and a in ("timestamp", "timestamptz", "time", "timetz", "varbit", "interval"):
        return "free" if not y or (x and y[0] >= x[0]) else "rewrite"
    if (a, b) in (("cidr", "inet"), ("xml", "text")):
        return "free"
    if a.startswith("?") or b.startswith("?"):
        return "unknown"
    return "rewrite"


KINDS = {
    "number": ("smallint", "integer", "bigint", "numeric", "real", "double precision"),
    "text": ("varchar", "text", "char", "citext"),
    "time": ("date", "time", "timetz", "timestamp", "timestamptz"),
    "json": ("json", "jsonb"),
}


def kind(text: str) -> str:
    """Return what a program takes a type's values for; "" where it can't be told."""
    name = parts(normal(text))[0]
    if not name or name.startswith("?"):
        return ""
    return next((kind for kind, names in KINDS.items() if name in names), name)


def narrows(old: str, new: str) -> bool:
    """Whether a value that fitted may not fit any more, or loses some of itself."""
    if not old or not new:
        return False
    (a, x), (b, y) = parts(normal(old)), parts(normal(new))
    if a.startswith("?") or b.startswith("?"):
        return False
    if a in WIDTHS and b in WIDTHS:
        return WIDTHS[b] < WIDTHS[a]
    if a in ("varchar", "text", "char", "citext") and b in ("varchar", "char"):
        return bool(y) and (not x or y[0] < x[0])
    if a == b == "numeric":
        if not y:
            return False
        if not x:
            return True
        before, after = x[0] - (x[1] if len(x) > 1 else 0), y[0] - (y[1] if len(y) > 1 else 0)
        return after < before or (y[1] if len(y) > 1 else 0) < (x[1] if len(x) > 1 else 0)
    lossy = {
        ("text", "integer"), ("text", "bigint"), ("varchar", "integer"), ("varchar", "bigint"),
        ("double precision", "integer"), ("double precision", "bigint"), ("numeric", "integer"),
        ("numeric", "bigint"), ("double precision", "real"), ("timestamptz", "date"),
        ("timestamp", "date"), ("text", "uuid"), ("varchar", "uuid"), ("varchar", "boolean"),
        ("double precision", "numeric"), ("text", "boolean"),
    }  # fmt: skip
    return (a, b) in lossy
