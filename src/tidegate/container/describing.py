"""Where one database stands, as a document: what `status` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.container import history, ledger, mounts
from tidegate.container.gate import Gate, code_heads
from tidegate.container.ledgerlock import holders, reading
from tidegate.container.parts import begun
from tidegate.errors import ElectionNotWon
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
        "passing": passing(connection),
        "state": "unreachable",
        "applied": 0,
        "pending": [],
        "unknown": [],
        "edited": [],
        "missing": _missing(steps),
        "heads": list(code_heads(gate, connection.alias)),
        "conflicts": list(gate.project.conflicts(steps).values()),
        "level": [],
        "run": None,
        "half": [],
        "partly": [],
        "held": "",
        "why": "",
        "remedy": "",
    }
    try:
        session = gate.database(connection).session(5.0)
        try:
            with reading(session, connection.vendor):
                verdict = gate.level(connection, session)
            locked = holders(session.query) if connection.vendor == "postgresql" else {}
            if locked:  # nothing of the ledger can be read
                edited, half, run, held = [], [], None, ""
            else:
                digests = {step.id: step.digest for step in steps if step.id in verdict.pending}
                held = ledger.held_back(session.query, connection.alias, digests) if digests else ""
                edited = ledger.edited(steps, ledger.recorded(session.query))
                half = begun(session.query, connection.vendor, verdict)
                run = history.last(session.query, connection.vendor, connection.alias)
        finally:
            session.close()
    except ElectionNotWon as error:
        return {**out, "why": error.what, "remedy": error.next}
    except (Transient, Permanent) as error:
        remedy = getattr(error, "next", "")
        return {**out, "why": getattr(error, "what", str(error)), "remedy": remedy}
    return {
        **out,
        "state": verdict.state,
        "applied": len(verdict.applied),
        "level": list(heads([step for step in steps if step.id in verdict.applied])),
        "pending": list(verdict.pending),
        "unknown": list(verdict.unknown),
        "edited": edited,
        "run": run,
        "half": half,
        "partly": gate.partly(connection.alias),
        "held": held,
        "why": f"the ledger was not read, it is locked: {'; '.join(locked.values())}"
        if locked
        else "",
    }


def passing(connection: Connection) -> str:
    """Return where a database lies that is a file of this container alone; else nothing."""
    plain = connection.vendor == "sqlite" and not connection.name.startswith("file:")
    return mounts.passing(connection.name) if plain else ""


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
        remedy = str(one.get("remedy") or "").splitlines()
        if remedy:
            return f"{remedy[0]}    ({alias})"
        return f"tidegate wait    (it says what keeps {alias} away)"
    if one.get("half"):
        step = one["half"][0]
        return (f"correct it and run it again: tidegate migrate    ({step} is half applied; the "
                "ways back: tidegate rollback --plan)")  # fmt: skip
    if one.get("held"):
        return (f"start the release before it; to apply it all the same: tidegate migrate    "
                f"({one['held']})")  # fmt: skip
    if framework == "alembic" and len(one["heads"]) > 1 and state != "ahead":
        return f"tidegate make --merge    ({alias} has {len(one['heads'])} heads)"
    if one.get("conflicts") and state != "current":
        ends = one["conflicts"][0]
        return f"tidegate make --merge    ({' and '.join(ends)} are not joined)"
    if state in ("empty", "behind"):
        return f"tidegate migrate    ({alias} lacks {counted(len(one['pending']), 'step')})"
    if one["edited"] and state == "current":
        return (f"put the file of {one['edited'][0]} back, and write a new step for the change    "
                "(it was changed after it was applied, and is not run again)")  # fmt: skip
    if state == "diverged":
        return f"bring the branches together    ({alias} has steps of another one, and lacks some)"
    if state == "ahead":
        return f"start the newer release, or with its code: tidegate rollback --plan    ({alias})"
    return ""
