"""What the ledger tells: the runs with their steps, whether they are as written, what lies beside.

Reads only. A ledger of an older version is read as far as it goes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.container import chain
from tidegate.container.gate import Gate
from tidegate.container.ledger import KILLED, RUN, STEP, present
from tidegate.container.parts import begun
from tidegate.contracts.database import Rows, Session, TableMissing
from tidegate.model.connection import Connection

Query = Callable[[str], Rows]
NUMBERS = ("seconds",)
APPLIED = ("done", "adopted")  # states of a step that the database then has
WHOLE = ("pid", "number", "position", "statements", "retries")


@dataclass(frozen=True, slots=True)
class History:
    """One database's ledger. `gone` are steps that the ledger has and the database no longer;
    `half` those that a run has begun and not ended."""

    alias: str
    runs: list[dict[str, Any]]
    chained: int = 0
    last: str = ""
    broken: list[chain.Broken] = field(default_factory=list)
    changed_since: bool = False
    gone: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)


def read(gate: Gate, connection: Connection, session: Session) -> History:
    """Read everything of one database, oldest run first."""
    vendor, alias = connection.vendor, connection.alias
    try:
        runs = _runs(session.query, vendor)
    except TableMissing:
        runs = []
    runs = [one for one in runs if one["database"] in (None, alias)]
    if not runs:
        return History(alias, [])
    columns = present(session.query, vendor, "tidegate_run")
    chained, last = 0, ""
    broken: list[chain.Broken] = []
    if "hash" in columns:
        chained, last, broken = chain.verify(session.query, vendor)
    _mark_changes(runs)
    _mark_rolled_back(runs)
    verdict = gate.level(connection, session)
    now = gate.recorded_digest(alias)
    after = next((one["level_after"] for one in reversed(runs) if one["level_after"]), "")
    if runs[-1]["state"] in KILLED:
        after = ""  # it has not said where it left off
    gone, added = _difference(runs, verdict.applied | set(verdict.unknown))
    # Django records a squashed step by itself, once all that it replaces is applied; and with one
    # that is applied it records what that replaces.
    squashed = {step.id for step in gate.steps(alias) if step.replaces}
    replaced = {old for step in gate.steps(alias) for old in step.replaces}
    gone = [step for step in gone if step not in replaced]
    whole = {old for step in gate.steps(alias) if step.id not in added for old in step.replaces}
    added = [step for step in added if step not in squashed | whole]
    return History(
        alias, runs, chained, last, broken, bool(after) and after != now, gone, added,
        begun(session.query, vendor, verdict),
    )  # fmt: skip


LAST = ("number", "kind", "started", "by", "revision", "image", "container")


def last(query: Query, vendor: str, alias: str) -> dict[str, Any] | None:
    """Return the run that brought a database to its level; None where none is on record."""
    from tidegate.container.ledger import Unwritten, literal

    shown = ", ".join(_shown(name, RUN[name], vendor) for name in LAST)
    try:
        rows = query(
            f"SELECT {shown} FROM tidegate_run WHERE state = 'done' AND kind <> 'backup' "
            f"AND database = {literal(alias)} AND number IS NOT NULL ORDER BY number DESC LIMIT 1"
        )
    except Unwritten:
        return None
    return _typed(dict(zip(LAST, rows[0], strict=True)), vendor) if rows else None


def _runs(query: Query, vendor: str) -> list[dict[str, Any]]:
    runs = [
        _typed(row, vendor) for row in _table(query, vendor, "tidegate_run", RUN, "started, id")
    ]
    steps = _table(query, vendor, "tidegate_step", STEP, "run, finished, step")
    by_run: dict[str, list[dict[str, Any]]] = {}
    for row in steps:
        one = _typed(row, vendor)
        one["sql"] = _json(one["sql"])
        locks = _json(one["locks"])
        one["locks"] = [lock for lock in locks if "waited" not in lock]
        one["waits"] = [lock for lock in locks if "waited" in lock]
        by_run.setdefault(one.pop("run"), []).append(one)
    for run in runs:
        run["steps"] = sorted(by_run.get(run["id"], []), key=lambda s: s["position"] or 0)
        run["backup"] = _receipt(run["backup"])
        run["kind"] = run["kind"] or "migrate"
    return sorted(runs, key=lambda run: (run["number"] or 0, run["started"]) if run["number"] else
                  (-1 if run["state"] != "running" else 1 << 60, run["started"]))  # fmt: skip


def _table(
    query: Query, vendor: str, table: str, columns: Mapping[str, str], order: str
) -> list[dict[str, str | None]]:
    have = present(query, vendor, table)
    if not have:
        return []
    names = [name for name in columns if name in have]
    shown = [_shown(name, columns[name], vendor) for name in names]
    rows = query(f"SELECT {', '.join(shown)} FROM {table} ORDER BY {order}")
    return [{**dict.fromkeys(columns), **dict(zip(names, row, strict=True))} for row in rows]


def _shown(name: str, kind: str, vendor: str) -> str:
    if kind.startswith("TIME") and vendor != "sqlite":
        return (
            f'to_char("{name}" AT TIME ZONE \'UTC\', \'YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"\') '
            f'AS "{name}"'
        )
    return f'"{name}"'


def _typed(row: Mapping[str, str | None], vendor: str) -> dict[str, Any]:
    out: dict[str, Any] = dict(row)
    for name in NUMBERS:
        if out.get(name) is not None:
            out[name] = float(out[name])
    for name in WHOLE:
        if out.get(name) is not None:
            out[name] = int(out[name])
    return out


def _json(text: object) -> Any:
    try:
        return json.loads(str(text)) if text else []
    except ValueError:
        return []


def _receipt(text: object) -> Any:
    """A receipt is JSON; what is not is shown as it stands."""
    try:
        return json.loads(str(text)) if text else None
    except ValueError:
        return text


def _mark_changes(runs: Sequence[dict[str, Any]]) -> None:
    """Say of each run whether something else changed the framework's rows just before it."""
    before = ""
    for run in runs:
        start = run["level_before"] or ""
        run["changed_before"] = bool(before and start and before != start)
        before = run["level_after"] or ""


def _mark_rolled_back(runs: Sequence[dict[str, Any]]) -> None:
    """Call a run rolled back when each of its steps was undone by a later one."""
    undone: set[str] = set()
    for run in reversed(runs):
        steps = [step["step"] for step in run["steps"] if step["state"] in APPLIED]
        if run["state"] == "done" and steps and set(steps) <= undone:
            run["state"] = "rolled-back"
        undone -= set(steps)
        undone |= {step["step"] for step in run["steps"] if step["state"] == "undone"}


def effects(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run did to which step. One that was killed has told only what it was to do."""
    if run["steps"] or run["state"] not in KILLED:
        return [(step["step"], step["state"]) for step in run["steps"]]
    state = {"migrate": "done", "rollback": "undone"}.get(run["kind"], "")
    return [(step, state) for step in str(run["plan"] or "").split()] if state else []


def _planned(run: Mapping[str, Any]) -> set[str]:
    return {step for step, _ in effects(run)}


def _difference(runs: Sequence[dict[str, Any]], now: frozenset[str]) -> tuple[list[str], list[str]]:
    """Compare what the ledger says is applied with what is.

    Steps that the ledger does not know count only where it began with an empty database.
    """
    applied: set[str] = set()
    for run in runs:
        if run["state"] in KILLED:  # how far it came, the database tells
            planned = _planned(run)
            applied = (applied - planned) | (planned & now)
            continue
        for step, state in effects(run):
            (applied.add if state in APPLIED else applied.discard)(step)
    whole = str(runs[0]["level_before"] or "").startswith("0:")
    return sorted(applied - now), sorted(now - applied) if whole else []
