"""Forms of a schema change that keep nobody waiting, with the same schema in the end.

A form is a list of groups: each group is a transaction of its own, or one statement that the
server runs in none. What has no form here is run as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.databases.pgclasses import NAME, is_outside, statements
from tidegate.model.plan import digest
from tidegate.model.sessions import AppSession

Form = list[list[str]]

_INDEX = re.compile(
    rf"^(?P<head>CREATE\s+(?:UNIQUE\s+)?INDEX)\s+(?!CONCURRENTLY\b)(?P<rest>(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"{NAME}\s+ON\s+(?!ONLY\b)(?P<table>{NAME})[\s(].*)$",
    re.I | re.S,
)
_CONSTRAINT = re.compile(
    rf"^(?P<head>ALTER\s+TABLE\s+(?P<table>{NAME}))\s+ADD\s+CONSTRAINT\s+(?P<name>{NAME})\s+"
    r"(?P<kind>FOREIGN\s+KEY|CHECK|UNIQUE)\s*(?P<rest>\(.*)$",
    re.I | re.S,
)
_UNIQUE = re.compile(r"^(?P<columns>\([^()]*\))\s*(?P<more>DEFERRABLE\b.*)?$", re.I | re.S)
_NOT_NULL = re.compile(
    rf"^ALTER\s+TABLE\s+(?P<table>{NAME})\s+ALTER\s+(?:COLUMN\s+)?(?P<column>{NAME})\s+SET\s+NOT\s+"
    r"NULL$",
    re.I,
)
_FILL = re.compile(
    rf"^UPDATE\s+{NAME}\s+SET\s+(?P<column>{NAME})\s*=\s*[^;]*\sWHERE\s+(?P<same>{NAME})\s+IS\s+NULL\s*"
    r"(;\s*SET\s+CONSTRAINTS\s+ALL\s+IMMEDIATE\s*)?$",
    re.I | re.S,
)
# What may stand between the parts of a step: the release that runs doesn't notice it.
_ADDITIVE = re.compile(
    rf"^(CREATE\s+(UNIQUE\s+)?INDEX|CREATE\s+TABLE|CREATE\s+SEQUENCE|CREATE\s+TYPE|COMMENT|"
    rf"ALTER\s+TABLE\s+{NAME}\s+(ADD\s+(COLUMN|CONSTRAINT)|VALIDATE|"
    r"ALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DEFAULT|DROP\s+DEFAULT|DROP\s+NOT\s+NULL|SET\s+NOT\s+NULL)))",
    re.I,
)


def plain(sql: str) -> str:
    """Return a statement without what may stand around it."""
    return sql.strip().rstrip(";").strip()


def form(sql: str) -> Form | None:
    """Return the form of one statement, None where there is none."""
    text = plain(sql)
    if len(statements(text)) != 1:
        return None
    index, constraint, not_null = (one.match(text) for one in (_INDEX, _CONSTRAINT, _NOT_NULL))
    if index:
        return [[f"{index['head']} CONCURRENTLY {index['rest']}"]]
    if not_null:
        return _of_not_null(not_null["table"], not_null["column"])
    if constraint is None or _has_more(constraint["rest"]):
        return None
    head, name, rest = constraint["head"], constraint["name"], constraint["rest"]
    if constraint["kind"].upper() == "UNIQUE":
        return _of_unique(constraint)
    if re.search(r"\bNOT\s+VALID\b", rest, re.I):
        return None
    return [[f"{text} NOT VALID"], [f"{head} VALIDATE CONSTRAINT {name}"]]


def _of_unique(found: re.Match[str]) -> Form | None:
    parts = _UNIQUE.match(found["rest"])
    if parts is None:
        return None
    more = f" {parts['more']}" if parts["more"] else ""
    name, table = found["name"], found["table"]
    return [
        [f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} {parts['columns']}"],
        [f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}{more}"],
    ]


def _of_not_null(table: str, column: str) -> Form:
    check = f"tidegate_{digest(f'{table}.{column}')[:8]}_not_null"
    return [
        [f"ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID"],
        [f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}"],
        [
            f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
            f"ALTER TABLE {table} DROP CONSTRAINT {check}",
        ],
    ]


def _has_more(text: str) -> bool:
    """Whether another action of the same ALTER TABLE follows."""
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            return True
    return False


def fills(sql: str) -> bool:
    """Whether it only fills NULLs of one column, which may be done twice."""
    found = _FILL.match(plain(sql))
    return bool(found) and found is not None and found["column"] == found["same"]


def is_additive(sql: str) -> bool:
    """Whether a release that doesn't know of it goes on as before."""
    return bool(_ADDITIVE.match(plain(sql)))


@contextmanager
def apart(session: AppSession) -> Iterator[None]:
    """Commit what the framework has open, and let each statement be its own transaction.

    The framework doesn't notice: its next statement begins a transaction as every first one does.
    """
    raw = session.raw
    if session.autocommit:
        yield
        return
    raw.commit()
    raw.autocommit = True
    try:
        yield
    finally:
        if session.status == "idle":
            raw.autocommit = False


def run(session: AppSession, group: list[str]) -> None:
    """Run one group on a session in autocommit."""
    if len(group) == 1 and is_outside(group[0]):
        session.run(group[0])
        return
    session.run("BEGIN")
    try:
        for one in group:
            session.run(one)
    except BaseException:
        session.run("ROLLBACK")
        raise
    session.run("COMMIT")
