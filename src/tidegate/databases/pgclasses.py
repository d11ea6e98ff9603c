"""What a statement asks of PostgreSQL's locks, read off its words.

The classes go by who has to wait behind the statement, not by the eight modes: a lock that is
asked for makes everybody wait who asks for one that conflicts with it, also while it isn't granted
(https://www.postgresql.org/docs/current/explicit-locking.html). What can't be told counts as the
stronger one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.model.sqltext import opened, split

CONTROL = "control"  # BEGIN, SAVEPOINT, SET: takes no lock on a table
ROWS = "rows"  # reads or writes rows: waits for rows, and nobody waits behind its table lock
GENTLE = "gentle"  # SHARE UPDATE EXCLUSIVE: other DDL waits, the application doesn't
BLOCKING = "blocking"  # SHARE to ACCESS EXCLUSIVE: writers wait, or everybody
CONCURRENT = "concurrent"  # waits for old transactions, and leaves an INVALID index when cut off

_CONTROL = re.compile(
    r"(BEGIN|START|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|SET|RESET|SHOW|DISCARD|LISTEN|NOTIFY)\b"
)
_DDL = re.compile(
    r"(ALTER|CREATE|DROP|TRUNCATE|LOCK|REINDEX|CLUSTER|REFRESH|COMMENT|SECURITY|"
    r"VACUUM\b.*\bFULL)\b"
)
_DDL_INSIDE = re.compile(
    r"\b((ALTER|CREATE|DROP)\s+(UNIQUE\s+)?(TABLE|INDEX|TYPE|TRIGGER|POLICY|MATERIALIZED|VIEW|SCHEMA)"
    r"|TRUNCATE|LOCK\s+TABLE|REINDEX|CLUSTER)\b", re.I
)  # fmt: skip
_GENTLE = re.compile(
    r"(COMMENT\b|LOCK\b.*\bIN\s+(ACCESS\s+SHARE|ROW\s+SHARE|"
    r"ROW\s+EXCLUSIVE|SHARE\s+UPDATE\s+EXCLUSIVE)\s+MODE)"
)
_ALTER = re.compile(r"ALTER\s+TABLE\s+(IF\s+EXISTS\s+)?(ONLY\s+)?\S+\s+(?P<rest>.*)", re.S)
_VALIDATE = re.compile(
    r"(VALIDATE\s+CONSTRAINT\s+(\"[^\"]+\"|\S+)|ALTER\s+(COLUMN\s+)?(\"[^\"]+\"|\S+)\s+SET\s+"
    r"STATISTICS\s+\S+)\s*"
)
_OUTSIDE = re.compile(
    r"\bCONCURRENTLY\b|^(VACUUM\b|CLUSTER\s*$|(CREATE|DROP|ALTER)\s+(DATABASE|TABLESPACE)\b|"
    r"ALTER\s+SYSTEM\b|CREATE\s+SUBSCRIPTION\b|DROP\s+SUBSCRIPTION\b|REINDEX\s+(\([^)]*\)\s*)?"
    r"(DATABASE|SYSTEM|SCHEMA)\b)"
)
_OWN_LIMIT = re.compile(r"\bSET\s+(LOCAL\s+|SESSION\s+)?LOCK_TIMEOUT\s*(=|TO)\s*(?P<value>\S+)")
NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+))?'
_CONCURRENT_INDEX = re.compile(
    rf"^\s*(?:(?P<make>CREATE)\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<made>{NAME})\s+ON\s+(?:ONLY\s+)?(?P<table>{NAME})|DROP\s+INDEX\s+CONCURRENTLY\s+"
    rf"(?:IF\s+EXISTS\s+)?(?P<dropped>{NAME}))",
    re.I,
)


@dataclass(frozen=True, slots=True)
class IndexWork:
    """An index that is built or dropped concurrently: its name as written, and its table's."""

    makes: bool
    name: str
    table: str = ""


_OF_TABLES = re.compile(r"ALTER\s+TABLE\b|(CREATE\s+(UNIQUE\s+)?|DROP\s+)INDEX\b")
_NAMED_ELSEWHERE = re.compile(r"\b(RENAME|SCHEMA)\b")


def changes_tables_only(sql: str) -> bool:
    """Whether nothing is worded anew but what is of the tables that the text holds locks on.

    Another name of a table or column stands in the foreign keys and views of others as well.
    """
    found = statements(sql)
    return bool(found) and all(_OF_TABLES.match(one) and not _NAMED_ELSEWHERE.search(one)
                               for one in found)  # fmt: skip


def lock_class(sql: str) -> str:
    """Return the class of the strongest of the statements in `sql`."""
    found = [_of_one(one) for one in statements(sql)]
    order = (CONTROL, ROWS, GENTLE, BLOCKING, CONCURRENT)
    return max(found, key=order.index, default=CONTROL)


def statements(sql: str) -> list[str]:
    """Return the statements of a text in capitals, without comments and the insides of strings."""
    return [one.upper() for one in split(sql)]


def _of_one(text: str) -> str:
    if _CONTROL.match(text):
        return CONTROL
    if not _DDL.match(text):
        return ROWS
    if re.search(r"\bCONCURRENTLY\b", text):
        return CONCURRENT
    if _GENTLE.match(text):
        return GENTLE
    altered = _ALTER.match(text)
    if altered and all(_VALIDATE.fullmatch(part.strip()) for part in altered["rest"].split(",")):
        return GENTLE
    return BLOCKING


def changes_schema(sql: str) -> bool:
    """Whether it is DDL: what is done once, and gives no rows."""
    return lock_class(sql) in (GENTLE, BLOCKING, CONCURRENT)


def hides_ddl(sql: str) -> bool:
    """Whether a DO block changes the schema: it asks for locks that its first word doesn't tell."""
    inside = opened(sql)
    return any(re.match(r"DO\b", one, re.I) for one in inside) and any(
        _DDL_INSIDE.search(one) for one in inside
    )


def only_reads(sql: str) -> bool:
    """Whether every statement is a plain query; a function that it calls can't be seen through."""
    return all(re.match(r"(SELECT|SHOW|EXPLAIN|TABLE|VALUES)\b", one) for one in statements(sql))


def is_outside(sql: str) -> bool:
    """Whether the server refuses it inside a transaction."""
    return any(_OUTSIDE.search(one) for one in statements(sql))


def concurrent_index(sql: str) -> IndexWork | None:
    """Return the index that a statement builds or drops concurrently, where it names one."""
    found = _CONCURRENT_INDEX.match(sql)
    if found is None:
        return None
    if found["make"]:
        return IndexWork(True, found["made"], found["table"])
    return IndexWork(False, found["dropped"])


def sets_own_limit(sql: str) -> bool:
    """Whether a migration bounds its own waiting; `0` is no bound."""
    values = [found["value"].strip("';") for found in _OWN_LIMIT.finditer(sql.upper())]
    return any(not re.fullmatch(r"0(MS|S|MIN)?|DEFAULT", value) for value in values)
