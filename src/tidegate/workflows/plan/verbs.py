"""What a statement's own words say that it does to rows: several statements in one text, too.

RunSQL and op.execute() send a text as it is, so a DELETE may stand behind an UPDATE, a comment, a
SET or a WITH, or in a DO block.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from tidegate.databases.pgclasses import NAME
from tidegate.model.sqltext import opened

Event = dict[str, Any]

_INNER = re.compile(
    r"\b(INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|(?<!FOR\s)(?<!KEY\s)(?<!ON\s)(?<!DO\s)UPDATE\s)",
    re.I,
)
_HOLDS_OTHERS = ("WITH", "DO", "BEGIN", "DECLARE", "EXPLAIN", "IF", "LOOP", "FOR", "PERFORM")
_TAKES = re.compile(
    rf"\b(?:(?P<delete>DELETE)\s+FROM|(?P<truncate>TRUNCATE)(?:\s+TABLE)?|"
    rf"(?P<merge>MERGE)\s+INTO(?=.*\bTHEN\s+DELETE\b))\s+(?:ONLY\s+)?"
    rf"(?P<names>{NAME}(?:\s*\*)?(?:\s*,\s*(?:ONLY\s+)?{NAME})*)",
    re.I | re.S,
)
_ONE = re.compile(NAME)


@lru_cache(maxsize=4096)
def verbs(sql: str) -> frozenset[str]:
    """Return the words that the statements of a text begin with, in capitals."""
    found: set[str] = set()
    for one in opened(sql):
        first = one.split(None, 1)[0].upper()
        found.add(first)
        if first in _HOLDS_OTHERS:
            found |= {word.split()[0].upper() for word in _INNER.findall(one)}
    return frozenset(found)


@lru_cache(maxsize=4096)
def _named(sql: str) -> tuple[tuple[str, str], ...]:
    out = []
    for one in opened(sql):
        for found in _TAKES.finditer(one):
            word = (found["delete"] or found["truncate"] or found["merge"]).upper()
            names = _ONE.findall(found["names"]) if word == "TRUNCATE" else [
                _ONE.match(found["names"])[0]]  # type: ignore[index]  # fmt: skip
            out += [(word, _plain(name)) for name in names if name.upper() != "ONLY"]
    return tuple(dict.fromkeys(out))


def truncated(sql: str) -> frozenset[str]:
    """Return the tables that a text empties with TRUNCATE, without their schema."""
    return frozenset(name for word, name in _named(sql) if word == "TRUNCATE")


def _plain(name: str) -> str:
    """Return the last part of a name as the catalogue has it."""
    last = re.findall(r'"(?:[^"]|"")+"|[\w$]+', name)[-1]
    return str(last[1:-1].replace('""', '"') if last.startswith('"') else last.lower())


def takes_rows(statement: Event, there: Collection[str]) -> list[tuple[str, str]]:
    """Return (word, table) for each table of the target that a statement takes rows away from.

    `there` are the tables that the target has; one that an earlier step gave another name is known
    by the locks on it.
    """
    known = {name.rpartition(".")[2]: name for name in there}
    for lock in statement["locks"] + statement["held"]:
        if lock["kind"] == "table":
            known.setdefault(lock["relation"].rpartition(".")[2], lock["was"])
    found = [(word, known[name]) for word, name in _named(statement["sql"]) if name in known]
    if statement["seen"] != "hook":  # its text may be of something else
        found += [("DELETE", name) for name, rows in statement["written"].items() if rows[2]]
    return list(dict.fromkeys(found))
