"""Drift as findings, in the names of the database."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.model.finding import Finding, Place

MODELS, DATABASE = "models-without-migration", "database-drift"
MAKE = 'tidegate make -m "what changed"'


def models(found: Mapping[str, Any], place: str) -> list[Finding]:
    """Return one finding for each change that no migration makes."""
    if found["error"]:
        return [_of_models(place, found["error"]["what"], found["error"]["next"] or MAKE)]
    out = []
    for one in found["questions"]:
        new = one["candidates"][0]["new"]
        out.append(_of_models(
            place,
            f"the models have {new}, the migrations {one['old']}: renamed, or dropped and added",
            f'tidegate make -m "..." --rename {one["old"]}={new.rpartition(".")[2]}   '
            f"or   --drop {one['old']}",
        ))  # fmt: skip
    if not out:  # a refusal may be about what a rename would settle
        out = [_of_models(place, one["what"], one["next"]) for one in found["refusals"]]
    if not out:
        out = [_of_models(place, f"no migration does this yet: {one}", MAKE) for one in found["changes"]]
    return out


def _of_models(place: str, message: str, remedy: str) -> Finding:
    return Finding(MODELS, "error", Place(place), message, remedy)


def database(place: str, name: str, made: Sequence[str], have: Sequence[str]) -> list[Finding]:
    """Return one finding for each object that differs; what is in a lost table goes with it."""
    wanted, there = _objects(made), _objects(have)
    lost = sorted(set(wanted) - set(there))
    more = sorted(set(there) - set(wanted))
    out = []
    for key in _topmost(lost):
        out.append(_of_database(
            place, f"{' '.join(key)} is not in {name}: the migrations make it", wanted[key]
        ))  # fmt: skip
    for key in _topmost(more):
        out.append(_of_database(place, f"{' '.join(key)} is in {name}, and no migration makes it",
                                there[key]))  # fmt: skip
    for key in sorted(set(wanted) & set(there)):
        if wanted[key] != there[key]:
            out.append(_of_database(
                place, f"{' '.join(key)} differs: {there[key] or 'nothing'} in {name}, "
                f"{wanted[key] or 'nothing'} by the migrations", "",
            ))  # fmt: skip
    return out


def _objects(lines: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return what each object is, by its kind and name."""
    found: dict[tuple[str, str], str] = {}
    for line in lines:
        match = re.match(r"(materialized view|foreign key|\w+) (.*?)(?:: (.*))?$", line, re.DOTALL)
        if match:
            name = match[2].rstrip(":").removeprefix("public.")
            if name.startswith("tidegate_"):
                continue  # the ledger
            found[match[1], name] = match[3] or ""
    return found


def _topmost(keys: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what belongs to a table that is named itself."""
    tables = {name for kind, name in keys if kind in ("table", "view", "materialized view")}
    kept = []
    for kind, name in keys:
        owner = name.rpartition(".")[0]
        mine = any(name.startswith(f"{table}_") for table in tables)
        if owner in tables or (kind in ("sequence", "index") and mine):
            continue
        kept.append((kind, name))
    return kept


def _of_database(place: str, message: str, definition: str) -> Finding:
    more = f" ({definition})" if definition else ""
    return Finding(
        DATABASE, "error", Place(place), message + more,
        "bring it into a migration, or take it back in the database by hand",
    )  # fmt: skip


def summary(findings: Sequence[Finding], seen: Sequence[str], against: bool) -> str:
    """Return the line that ends the report."""
    undone = sum(one.rule == MODELS for one in findings)
    drifted = len(findings) - undone
    said = f"{len(seen)} models compared with the migrations: {undone} without"
    if against:
        said += f"; the database compared with the migrations: {drifted} differ"
    return said
