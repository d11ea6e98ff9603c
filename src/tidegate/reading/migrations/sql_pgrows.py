"""What statements do to rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import Change, CreateTable, Data, Statement
from tidegate.reading.migrations.sql_pgtrees import Tree, functions, relation, strings


def _update(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    columns = tuple(
        one["ResTarget"].get("name", "") for one in tree.get("targetList", []) if "ResTarget" in one
    )
    yield Data(
        "update",
        relation(tree.get("relation")),
        bool(tree.get("whereClause")),
        values=tuple(strings(tree)),
        columns=columns,
        batched="limitCount" in str(tree.get("whereClause")),
    )


def _delete(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    bounded = bool(tree.get("whereClause"))
    table = relation(tree.get("relation"))
    yield Data("delete", table, bounded, batched="limitCount" in str(tree.get("whereClause")))


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
    "TruncateStmt": _truncate,
    "CopyStmt": _copy,
}
