"""Where one database stands, as a document: what `status` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.container import history, ledger
from tidegate.container.gate import Gate, code_heads
from tidegate.model.connection import Connection
from tidegate.model.level import heads
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.words import counted


def described(gate: Gate, connection: Connection) -> dict[str, Any]:
    """Return the document of one database; one that can't be reached has its reason in it."""
    steps = gate.steps(connection.alias)
    out: dict[str, Any] = {
        "alias": connection.alias,
        "vendor": connection.vendor,
        "where": connection.shown,
        "state": "unreachable",
        "applied": 0,
        "pending": [],
        "unknown": [],
        "edited": [],
        "missing": _missing(steps),
        "heads": list(code_heads(gate, connection.alias)),
        "level": [],
        "run": None,
        "why": "",
    }
    try:
        session = gate.database(connection).session(5.0)
    except (Transient, Permanent) as error:
        return {**out, "why": getattr(error, "what", str(error))}
    try:
        verdict = gate.level(connection, session)
        edited = ledger.edited(steps, ledger.recorded(session.query))
        run = history.last(session.query, connection.vendor, connection.alias)
    finally:
        session.close()
    return {
        **out,
        "state": verdict.state,
        "applied": len(verdict.applied),
        "level": list(heads([step for step in steps if step.id in verdict.applied])),
        "pending": list(verdict.pending),
        "unknown": list(verdict.unknown),
        "edited": edited,
        "run": run,
    }


def _missing(steps: Sequence[Any]) -> list[str]:
    known = {step.id for step in steps} | {old for step in steps for old in step.replaces}
    return sorted({need for step in steps for need in step.needs if need not in known})


def advice(databases: Sequence[Mapping[str, Any]], framework: str) -> str:
    """Return what to type next, for the first database that asks for something."""
    for one in databases:
        said = _advice(one, framework)
        if said:
            return said
    return "nothing to do"


def _advice(one: Mapping[str, Any], framework: str) -> str:
    alias, state = one["alias"], one["state"]
    if one["missing"]:
        return f"bring back the file of {one['missing'][0]}: another step needs it, and it is gone"
    if state == "unreachable":
        return f"tidegate wait    (it says what keeps {alias} away)"
    if framework == "alembic" and len(one["heads"]) > 1 and state != "ahead":
        return f"alembic merge heads    ({alias} has {len(one['heads'])} heads)"
    if state in ("empty", "behind"):
        return f"tidegate migrate    ({alias} lacks {counted(len(one['pending']), 'step')})"
    if state == "diverged":
        return f"bring the branches together    ({alias} has steps of another one, and lacks some)"
    if state == "ahead":
        return f"start the newer release, or with its code: tidegate rollback --plan    ({alias})"
    return ""
