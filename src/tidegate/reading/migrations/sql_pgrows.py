"""What statements do to rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import Change, CreateTable, Data, Opaque, Statement
from tidegate.reading.migrations.sql_functions import is_known
from tidegate.reading.migrations.sql_pgtrees import Tree, functions, names_of, relation, strings


def _update(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    columns = tuple(
        one["ResTarget"].get("name", "") for one in tree.get("targetList", []) if "ResTarget" in one
    )
    yield _written("update", tree, "fromClause")._replace(
        values=tuple(strings(tree)), columns=columns
    )


def _delete(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    yield _written("delete", tree, "usingClause")


def _written(verb: str, tree: Tree, beside: str) -> Data:
    """Return what an UPDATE or DELETE does; `beside` is where it names further tables."""
    where = tree.get("whereClause")
    joined = _joined(tree.get(beside), tree)
    bounded = bool(where) and not holds_always(where)
    if bounded and joined and not _narrows(where):
        bounded = False  # the condition says which row belongs to which, and no more
    return Data(
        verb,
        relation(tree.get("relation")),
        bounded,
        batched="limitCount" in str(where),
        beside=joined if where and not bounded and not holds_always(where) else "",
    )


def _joined(sources: Any, tree: Tree) -> str:
    """Return the table that decides which rows are written; "" where it is only a few rows."""
    names = [
        one.get("CommonTableExpr") or {} for one in (tree.get("withClause") or {}).get("ctes", [])
    ]
    queries = {one.get("ctename", ""): one.get("ctequery") for one in names}
    for source in sources or []:
        if "RangeVar" in source:
            name = relation(source["RangeVar"])
            if name not in queries:
                return name
            source = queries[name]
        if "JoinExpr" in source and not _narrows(source):
            return _first_table(source)
        if _narrows(source) or any(word in str(source) for word in ("valuesLists", "limitCount")):
            return ""
        return "a query"
    return ""


def _first_table(tree: Any) -> str:
    """Return the first table of a join."""
    if isinstance(tree, dict):
        if "RangeVar" in tree:
            return relation(tree["RangeVar"])
        tree = list(tree.values())
    found = (_first_table(one) for one in tree) if isinstance(tree, list) else ()
    return next((name for name in found if name), "")


def _narrows(tree: Any) -> bool:
    """Whether a condition compares with anything but columns: a constant, a parameter, a test."""
    if isinstance(tree, dict):
        if {"A_Const", "ParamRef", "NullTest", "BooleanTest", "SubLink", "FuncCall"} & set(tree):
            return True
        return any(_narrows(one) for one in tree.values())
    return isinstance(tree, list) and any(_narrows(one) for one in tree)


def holds_always(tree: Any) -> bool:
    """Whether a condition is true for every row: `true`, `1 = 1`, `id = id`."""
    if not isinstance(tree, dict):
        return False
    if "A_Const" in tree:
        return bool((tree["A_Const"].get("boolval") or {}).get("boolval"))
    if "TypeCast" in tree:
        return holds_always(tree["TypeCast"].get("arg"))
    if "BoolExpr" in tree:
        parts = [holds_always(one) for one in tree["BoolExpr"].get("args", [])]
        kind = tree["BoolExpr"].get("boolop")
        return (kind == "AND_EXPR" and all(parts)) or (kind == "OR_EXPR" and any(parts))
    test = tree.get("A_Expr") or {}
    names = names_of(test.get("name"))
    sides = [_bare(test.get(one)) for one in ("lexpr", "rexpr")]
    plain = all(side is not None and ("A_Const" in side or "ColumnRef" in side) for side in sides)
    return names == ("=",) and plain and sides[0] == sides[1]


def _bare(tree: Any) -> Any:
    """Return a tree without the places where its parts stand."""
    if isinstance(tree, dict):
        return {key: _bare(one) for key, one in tree.items() if key != "location"}
    return [_bare(one) for one in tree] if isinstance(tree, list) else tree


def _merge(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    clauses = [one.get("MergeWhenClause") or {} for one in tree.get("mergeWhenClauses", [])]
    kinds = {one.get("commandType") for one in clauses}
    writes = kinds & {"CMD_UPDATE", "CMD_DELETE"}
    joined = _joined([tree.get("sourceRelation") or {}], tree)
    bounded = (
        not joined
        or _narrows(tree.get("joinCondition"))
        or any(one.get("condition") for one in clauses)
    )
    yield Data("merge" if writes else "insert", relation(tree.get("relation")), bounded,
               beside="" if bounded else joined)  # fmt: skip


def _insert(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    select = (tree.get("selectStmt") or {}).get("SelectStmt") or {}
    from_table = bool(select.get("fromClause"))
    where = bool(select.get("whereClause") or select.get("limitCount"))
    table = relation(tree.get("relation"))
    yield Data("insert", table, where or not from_table, values=tuple(strings(tree)))


def _with(tree: Tree) -> Iterator[Change]:
    """Data-changing statements inside WITH."""
    for one in (tree.get("withClause") or {}).get("ctes", []):
        query = (one.get("CommonTableExpr") or {}).get("ctequery") or {}
        for kind in ("UpdateStmt", "DeleteStmt", "InsertStmt"):
            if kind in query:
                yield from ROWS[kind](query[kind])


def _select(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    called = [name.lower() for name in functions(tree)]
    if tree.get("intoClause"):
        yield CreateTable(relation(tree["intoClause"].get("rel")))
        return
    for name in dict.fromkeys(called):
        if not is_known(name):
            yield Opaque("SQL", f"{name}() is a function of the database, which may change it")
    yield Statement("select", detail=" ".join(called))


def _truncate(tree: Tree) -> Iterator[Change]:
    cascade = tree.get("behavior") == "DROP_CASCADE"
    for one in tree.get("relations", []):
        yield Data("truncate", relation(one.get("RangeVar")), False, cascade)


def _copy(tree: Tree) -> Iterator[Change]:
    if tree.get("is_from"):
        yield Data("copy", relation(tree.get("relation")))


ROWS: dict[str, Any] = {
    "UpdateStmt": _update,
    "DeleteStmt": _delete,
    "InsertStmt": _insert,
    "SelectStmt": _select,
    "MergeStmt": _merge,
    "TruncateStmt": _truncate,
    "CopyStmt": _copy,
}
