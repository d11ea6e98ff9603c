"""What a statement's text tells of it, beside what is seen of it."""

from __future__ import annotations

import re
from typing import Any

from tidegate.model.blocker import MODES
from tidegate.model.sqltext import split
from tidegate.rehearsal.record import Record

# What may change statements on tables that it holds no lock on, and what never does.
_FAR = re.compile(r"\b(FUNCTION|PROCEDURE|TYPE|DOMAIN|EXTENSION|TRIGGER|VIEW|SCHEMA|POLICY|"
                 r"OPERATOR|CAST|DO|EXECUTE)\b", re.I)  # fmt: skip
_NEAR = re.compile(r"^\s*(ALTER\s+TABLE|CREATE\s+(UNIQUE\s+)?INDEX|CREATE\s+TABLE|INSERT|UPDATE|"
                  r"DELETE)\b", re.I)  # fmt: skip


def reaches_far(sql: str) -> bool:
    """Whether it may change what statements on any table do: a function, a type, a view."""
    return any(_FAR.search(one) and not _NEAR.search(one) for one in split(sql))


def strongest(locks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each relation once, with the strongest lock on it."""
    order = list(MODES.values())
    best: dict[str, dict[str, Any]] = {}
    for lock in locks:
        known = best.get(lock["relation"])
        if known is None or order.index(lock["mode"]) > order.index(known["mode"]):
            best[lock["relation"]] = lock
    return list(best.values())


def acted_on(record: Record) -> set[str]:
    """Return the tables that a statement acts on by locks that its transaction had before.

    Those that it names; where it names none (a DO block), any of them may be meant.
    """
    held = {lock["was"]: lock["relation"] for lock in record.held if lock["kind"] != "index"}
    words = set(re.findall(r"\w+", record.sql))
    named = {was for was, now in held.items()
             if set(re.findall(r"\w+", now.rpartition(".")[2])) <= words}  # fmt: skip
    return named if named or record.locks else set(held)


def strength(mode: str) -> int:
    """Return how strong a lock is, by its place among the eight."""
    return list(MODES).index(mode) if mode in MODES else -1


def scans_for_ddl(sql: str) -> bool:
    """Whether a scan is DDL's own: whether DML scans is the planner's choice on real rows."""
    return bool(re.match(r"\s*(ALTER|CREATE|REINDEX|REFRESH|CLUSTER|VACUUM|DROP)\b", sql, re.I))


def validates(sql: str) -> bool:
    """Whether it checks the rows of one table against another's index."""
    return bool(re.search(r"\b(FOREIGN\s+KEY|REFERENCES|VALIDATE)\b", sql, re.I))
