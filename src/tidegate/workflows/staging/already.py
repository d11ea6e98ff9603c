"""A change in two releases that was begun, or ended, before: what comes next is another file."""

from __future__ import annotations

from importlib.util import find_spec

from tidegate.errors import UsageProblem
from tidegate.workflows.staging.named import Named
from tidegate.workflows.staging.types import copy_of, type_of, unique_name


def refuse_second(one: Named, said: str) -> None:
    """Raise UsageProblem where the migrations have the --expand of a change already."""
    columns = one.at.tables[one.table].columns
    begun = {
        "rename": one.new if one.new in columns else "",
        "type": copy_of(one) if copy_of(one) in columns else "",
        "drop": one.column.name if _forgotten(one) else "",
        "unique": unique_name(one) if _is_unique(one) else "",
    }.get(one.kind, "")
    if not begun:
        return
    what = {
        "rename": f"{one.table} has a column {begun} already",
        "type": f"{one.table} has a column {begun} already",
        "drop": f"the models have forgotten {one.table}.{begun} already",
        "unique": f"{one.table}.{one.column.name} is unique by {begun} already",
    }[one.kind]
    if one.kind == "unique":
        raise UsageProblem(f"{what}; no file was made", "", "there is nothing to do")
    raise UsageProblem(
        f"{what}; no file was made",
        "A migration has made this change ready, as far as can be read.",
        f"when the release before it is gone: tidegate make --contract {said}",
    )


def refuse_unready(one: Named, said: str) -> None:
    """Raise UsageProblem where there is nothing to contract, or it is done."""
    if find_spec("pgparse") is None and find_spec("sqlglot") is None:
        return  # what --expand made is SQL, and nothing here reads that
    columns = one.at.tables[one.table].columns
    ready = {
        "rename": one.new in columns,
        "type": copy_of(one) in columns or type_of(one) == one.column.type,
        "drop": one.model is None or _forgotten(one),
    }.get(one.kind, True)
    if one.kind == "rename" and ready and one.column.name == one.new:
        raise UsageProblem(
            f"{one.table}.{one.new} has its name alone already; no file was made",
            "No migration that can be read keeps the old one beside it.", "there is nothing to do",
        )  # fmt: skip
    if not ready:
        raise UsageProblem(
            f"{said} has not been made ready; no file was made",
            "--contract ends what --expand began: the release now running would fail on it.",
            f"tidegate make --expand {said}",
        )


def _forgotten(one: Named) -> bool:
    return one.model is not None and one.field not in one.model.fields


def _is_unique(one: Named) -> bool:
    table, name = one.at.tables[one.table], unique_name(one)
    return name in table.constraints or name in table.indexes
