"""Where one database stands, as a document: what `status` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.container import ledger
from tidegate.container.gate import Gate, code_heads
from tidegate.model.connection import Connection
from tidegate.model.level import heads
from tidegate.model.readiness import Permanent, Transient


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
        "why": "",
    }
    try:
        session = gate.database(connection).session(5.0)
    except (Transient, Permanent) as error:
        return {**out, "why": getattr(error, "what", str(error))}
    try:
        verdict = gate.level(connection, session)
        edited = ledger.edited(steps, ledger.recorded(session.query))
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
    }


def _missing(steps: Sequence[Any]) -> list[str]:
    known = {step.id for step in steps} | {old for step in steps for old in step.replaces}
    return sorted({need for step in steps for need in step.needs if need not in known})
