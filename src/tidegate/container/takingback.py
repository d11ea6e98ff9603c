"""How the half of a step is taken back by hand, where that follows from its statements alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.container.ledger import literal

_NAME = r'((?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?)'
_MAKES = re.compile(
    rf"\s*CREATE\s+(?:UNLOGGED\s+)?(TABLE|SEQUENCE|(?:UNIQUE\s+)?INDEX(?:\s+CONCURRENTLY)?)\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}", re.I,
)  # fmt: skip
_ADDS = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?:ONLY\s+)?{_NAME}\s+ADD\s+(COLUMN|CONSTRAINT)\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s", re.I,
)  # fmt: skip
_ALTERS = re.compile(rf"\s*ALTER\s+TABLE\s+(?:ONLY\s+)?{_NAME}\s+ALTER\s+COLUMN\s+{_NAME}\s", re.I)


def by_hand(step: str, statements: Iterable[str], journal: str = "") -> str:
    """Return the SQL that undoes these changes of the schema; empty where that can't be told.

    What changes a thing that the same step has made goes with that thing.
    """
    out: list[str] = []
    made: set[str] = set()
    for sql in statements:
        if found := _MAKES.match(sql):
            kind = "INDEX" if "INDEX" in found[1].upper() else found[1].upper()
            on = _on(sql) if kind == "INDEX" else ""
            schema, dot, _ = on.rpartition(".")  # an index lies in the schema of its table
            if on not in made:
                out.append(f"DROP {kind} {schema}{dot}{found[2]}")
            made.add(found[2])
        elif found := _ADDS.match(sql):
            if _several(sql):
                return ""
            table, kind, name = found[1], found[2].upper(), found[3]
            if table not in made:
                out.append(f"ALTER TABLE {table} DROP {kind} {name}")
            made.add(f"{table} {name}")
        elif found := _ALTERS.match(sql):
            if _several(sql) or not {found[1], f"{found[1]} {found[2]}"} & made:
                return ""
        else:
            return ""
    if journal:
        out.append(f"DELETE FROM {journal} WHERE step = {literal(step)}")
    kept = [one for one in out if not one.startswith("DELETE")]
    return "; ".join([*reversed(kept), *out[len(kept) :]]) if kept else ""


def _on(sql: str) -> str:
    found = re.search(rf"\sON\s+(?:ONLY\s+)?{_NAME}", sql, re.I)
    return found[1] if found else ""


def _several(sql: str) -> bool:
    """Whether one ALTER TABLE does several things; brackets and strings are left out."""
    text = re.sub(r"'(?:[^']|'')*'", "", sql)
    while (less := re.sub(r"\([^()]*\)", "", text)) != text:
        text = less
    return "," in text
