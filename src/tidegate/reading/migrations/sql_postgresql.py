"""SQL by PostgreSQL's own grammar (pgparse: libpg_query) into changes.

`changes` returns None where the grammar is not installed: the caller says that it could not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import Change, Opaque, RenameTable, Statement
from tidegate.reading.migrations.rows import selected
from tidegate.reading.migrations.sql_pgrows import ROWS
from tidegate.reading.migrations.sql_pgschema import SCHEMA
from tidegate.reading.migrations.sql_pgtrees import (
    Tree,
    integer_of,
    names_of,
    relation,
    strings,
    type_of,
)


def changes(sql: str) -> list[Change] | None:
    """Return what each statement does, in order."""
    try:
        import pgparse
    except ImportError:
        return None
    text = placeholders(sql)
    try:
        parsed = pgparse.parse(text)
    except pgparse.PGQueryError as error:
        why = Opaque("SQL", f"PostgreSQL's grammar refuses it: {str(error).splitlines()[0]}")
        older = NOT_NULL.sub(_as_check, text)
        if older == text:
            return [why]
        try:
            parsed = pgparse.parse(older)
        except pgparse.PGQueryError:
            return [why]
    out: list[Change] = []
    for one in parsed:
        statement = one.get("stmt") or {}
        for kind, tree in statement.items():
            handler = _HANDLERS.get(kind)
            out += list(handler(tree)) if handler else [Statement(_words(kind))]
    return out


# PostgreSQL 18's; the grammar that reads it here is an older one, to which it is the same CHECK
NOT_NULL = re.compile(
    r"\bADD\s+(CONSTRAINT\s+(?:\w+|\"[^\"]+\")\s+)?NOT\s+NULL\s+(\w+|\"[^\"]+\")(\s+NOT\s+VALID)?",
    re.IGNORECASE,
)


def _as_check(match: re.Match[str]) -> str:
    name, column, later = match.groups(default="")
    if not later:
        return f"ALTER COLUMN {column} SET NOT NULL"
    return f"ADD {name}CHECK ({column} IS NOT NULL) NOT VALID"


def placeholders(sql: str) -> str:
    """Drivers' placeholders (%s, %(name)s) and doubled percent signs are not the grammar's."""
    if "%" in sql:
        sql = re.sub(r"%\(\w+\)s|%s", "NULL", sql).replace("%%", "%")
    if ":" in sql:  # SQLAlchemy's :name; casts and times stay
        sql = re.sub(r"(?<![:\w'\"])(?<!\d):([A-Za-z_]\w*)\b(?!')", "NULL", sql)
        sql = sql.replace("\\:", ":")
    return sql


def _words(kind: str) -> str:
    name = kind.removesuffix("Stmt")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _vacuum(tree: Tree) -> Iterator[Change]:
    options = [one.get("DefElem", {}).get("defname", "") for one in tree.get("options", [])]
    rels = [one.get("VacuumRelation", {}) for one in tree.get("rels", [])] or [{}]
    verb = "vacuum" if tree.get("is_vacuumcmd") else "analyze"
    for one in rels:
        full = "full" if "full" in options else ""
        yield Statement(verb, relation(one.get("relation")), full)


def _reindex(tree: Tree) -> Iterator[Change]:
    options = [one.get("DefElem", {}).get("defname", "") for one in tree.get("params", [])]
    name = relation(tree.get("relation")) or tree.get("name", "")
    detail = "concurrently" if "concurrently" in options else ""
    if tree.get("kind") in (
        "REINDEX_OBJECT_SCHEMA",
        "REINDEX_OBJECT_SYSTEM",
        "REINDEX_OBJECT_DATABASE",
    ):
        yield Statement("reindex-all", "", detail, name)
        return
    yield Statement("reindex", "", detail, name)


def _refresh(tree: Tree) -> Iterator[Change]:
    detail = "concurrently" if tree.get("concurrent") else ""
    yield Statement("refresh", relation(tree.get("relation")), detail)


def _lock(tree: Tree) -> Iterator[Change]:
    modes = ("", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE",
             "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")  # fmt: skip
    mode = modes[min(int(tree.get("mode", 0)), 8)]
    for one in tree.get("relations", []):
        yield Statement("lock", relation(one.get("RangeVar")), mode)


def _set(tree: Tree) -> Iterator[Change]:
    value = ", ".join([*strings(tree.get("args", []))])
    for one in tree.get("args", []):
        number = integer_of(one)
        value = value or ("" if number is None else str(number))
    yield Statement("set", "", value, tree.get("name", ""))


def _transaction(tree: Tree) -> Iterator[Change]:
    kind = tree.get("kind", "").removeprefix("TRANS_STMT_").lower()
    yield Statement("transaction", "", kind)


def _trigger(tree: Tree) -> Iterator[Change]:
    yield Statement("trigger", relation(tree.get("relation")), "create", tree.get("trigname", ""))


def _do(tree: Tree) -> Iterator[Change]:
    body = " ".join(
        str((one.get("DefElem", {}).get("arg", {}).get("String") or {}).get("sval", ""))
        for one in tree.get("args", [])
    )
    yield from block(body)


def block(body: str) -> Iterator[Change]:
    """Yield the plain statements of a DO block; what it executes as text is opaque."""
    if re.search(r"\bEXECUTE\b", body, re.IGNORECASE):
        yield Opaque("DO block", "it runs text that it puts together")
        return
    inner = re.sub(r"(?is)^\s*(declare.*?)?\bbegin\b", "", body)
    pieces = re.split(r"(?is);|\bthen\b|\belse\b|\bloop\b|\bexception\b", inner)
    looping = _row_loop(body)
    if looping is not None:
        yield looping
    found = looping is not None
    for piece in pieces:
        words = piece.strip().lower().split(maxsplit=1)
        if words and words[0] in ("alter", "create", "drop", "update", "delete", "insert",
                                  "truncate", "lock", "perform", "call", "merge"):  # fmt: skip
            text = re.sub(r"(?i)^\s*perform\b", "SELECT", piece)
            for change in changes(text) or []:
                found = True
                yield change
    if not found:
        yield Statement("do")


LOOP = re.compile(
    r"\bfor\s+\w[\w\s,]*\s+in\s+\(?\s*(select\b.*?)\bloop\b(.*?)\bend\s+loop\b", re.I | re.S
)


def _row_loop(body: str) -> Statement | None:
    """Return a loop over the rows of a query in which rows are written."""
    for query, inner in LOOP.findall(body):
        rows = selected(query)
        if (
            rows is not None
            and not rows.few
            and re.search(r"\b(update|delete\s+from)\b", inner, re.I)
        ):
            ends = "commit" if re.search(r"\bcommit\b", inner, re.I) else ""
            return Statement("row-loop", rows.name, ends)
    return None


def _privileges(tree: Tree) -> Iterator[Change]:
    yield Statement("privileges")


def _drop_database(tree: Tree) -> Iterator[Change]:
    yield Statement("drop-database", name=tree.get("dbname", ""))


def _call(tree: Tree) -> Iterator[Change]:
    call = tree.get("funccall") or {}
    name = ".".join(names_of(call.get("funcname"))) or "a procedure"
    yield Opaque("CALL", f"{name}() is a procedure of the database, which may change it")


def _function(tree: Tree) -> Iterator[Change]:
    name = (names_of(tree.get("funcname")) or ("",))[-1]
    kind = type_of(tree.get("returnType") or {})
    yield Statement("create-function", "", kind, name)


def _cluster(tree: Tree) -> Iterator[Change]:
    yield Statement("cluster", relation(tree.get("relation")))


def _move(tree: Tree) -> Iterator[Change]:
    table = relation(tree.get("relation"))
    if tree.get("objectType") == "OBJECT_TABLE":
        yield RenameTable(table, f"{tree.get('newschema', '')}.{table}")
    else:
        yield Statement("set-schema", table)


_HANDLERS: dict[str, Any] = {
    **SCHEMA,
    **ROWS,
    "VacuumStmt": _vacuum,
    "ReindexStmt": _reindex,
    "RefreshMatViewStmt": _refresh,
    "LockStmt": _lock,
    "VariableSetStmt": _set,
    "TransactionStmt": _transaction,
    "CreateTrigStmt": _trigger,
    "DoStmt": _do,
    "GrantStmt": _privileges,
    "GrantRoleStmt": _privileges,
    "CreatePolicyStmt": _privileges,
    "CallStmt": _call,
    "CreateFunctionStmt": _function,
    "DropdbStmt": _drop_database,
    "ClusterStmt": _cluster,
    "AlterObjectSchemaStmt": _move,
}
