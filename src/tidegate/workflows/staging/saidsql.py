"""SQL that was typed on the command line, read before it lands in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from tidegate.errors import UsageProblem
from tidegate.model.operation import Data, Opaque
from tidegate.reading.migrations import sql
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import quoted

MISSING = sql.MISSING


def refuse_wrong(at: At, table: str, flag: str, set_: str, where: str = "") -> None:
    """Raise UsageProblem where what is to be set is no SQL, or names a column that is not there."""
    said = f"UPDATE {quoted(table)} SET {set_}"
    found = sql.changes(f"{said} WHERE {where}" if where else said, at.vendor)
    wrong = next((one.why for one in found if isinstance(one, Opaque)), "")
    if wrong == MISSING:
        return  # nobody here can read it: the rehearsal will
    words = f"{flag} {set_!r}" + (f" --where {where!r}" if where else "")
    if wrong:
        raise UsageProblem(
            f"{words} is not SQL that {table} can be set by; no file was made",
            f"{wrong[0].upper()}{wrong[1:]}.",
            f'write it as in UPDATE {table} SET ...: {flag} "total = price * qty"',
        )
    one = found[0] if len(found) == 1 else None
    if not isinstance(one, Data) or one.verb != "update":
        raise UsageProblem(
            f"{words} is more than one UPDATE of {table}; no file was made",
            "backfill() runs it for one batch of rows after the other.",
            "write what else there is into a migration by hand: tidegate make --empty",
        )
    known = at.tables[table].columns
    for name in dict.fromkeys([*one.columns, *_columns(said, where, at.vendor)]):
        if known and name not in known and at.tables[table].made_in:
            near = get_close_matches(name, known, 1, 0.6)
            raise UsageProblem(
                f"no migration makes a column {name} of {table}; no file was made",
                f"Its columns: {', '.join(known)}.",
                f"write {near[0]}" if near else "use one of them",
            )


def _columns(said: str, where: str, vendor: str) -> list[str]:
    """Return the bare columns that are read; none where it reads of other tables too."""
    if vendor != "postgresql":
        return []
    try:
        import pgparse
    except ImportError:
        return []
    tree = pgparse.parse(f"{said} WHERE {where}" if where else said)
    nodes = list(_nodes(tree))
    if any(name == "SelectStmt" for name, _ in nodes):
        return []
    fields = [node.get("fields", []) for name, node in nodes if name == "ColumnRef"]
    parts = [[part.get("String", {}) for part in one] for one in fields if len(one) == 1]
    return [str(one[0].get("sval") or one[0].get("str") or "") for one in parts if one[0]]


def _nodes(tree: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            for name, inner in one.items():
                if isinstance(inner, dict):
                    yield name, inner
                waiting.append(inner)
