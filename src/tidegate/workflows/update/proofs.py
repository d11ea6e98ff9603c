"""What rehearsals have proved: that the release which ran then works on the schema after the steps.

`tidegate plan` writes it down beside the releases, and `apply` what the plan says that was made
elsewhere; a rollback that leaves the schema as it is asks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.contracts.target import Target, Teller
from tidegate.errors import TidegateError
from tidegate.workflows.update.state import State

KEPT = 50  # rehearsals

Proof = Mapping[str, Any]


def share(state: State, plan: Mapping[str, Any], target: Target, tell: Teller, by: str) -> None:
    """Write it down for everybody who uses the engine; what can't be is said, and stops nothing."""
    try:
        with state.proving(target, tell):
            remember(state, plan, by)
    except TidegateError as error:
        tell.warn(f"what the rehearsal has proved is not written down: {error.what}")


def remember(state: State, plan: Mapping[str, Any], by: str = "") -> None:
    """Write down what a rehearsal on the target's schema has seen; a failed one proves nothing."""
    steps, release = plan["steps"], plan["rehearsal"]["release"]
    if not steps or not plan["basis"].get("target") or not all(one["applied"] for one in steps):
        return
    broken = [f"{each['word']} on {each['table']}" for one in steps for each in one["broken"]]
    entry = {
        "plan": plan["plan"],
        "database": plan["database"],
        "target": plan["basis"]["target"],
        "made": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "by": by,
        "steps": {one["id"]: one["digest"] for one in steps},
        "statements": release["statements"],
        "from": release["from"],
        "broken": broken,
        "back": all(one["reversible"] for one in steps),
    }
    moved = {key: entry[key] for key in ("made", "by")}
    others = [one for one in state.proofs() if {**one, **moved} != entry]
    state.prove([*others, entry][-KEPT:])


def of(state: State, plans: Sequence[Mapping[str, Any]], release: str) -> tuple[list[Proof], str]:
    """Return the rehearsals by which a release runs on the schema as it is, or why none says so.

    Each has to be of exactly the steps that would be undone: then it began where the release ran.
    """
    found: list[Proof] = []
    for one in plans:
        if not one["steps"]:
            continue
        last = _newest(state, one)
        if last is None:
            names = ", ".join(step["id"] for step in one["steps"][-3:])
            return [], (f"no rehearsal of {names} for this database is on record that says whether "
                        f"release {release} runs on the newer schema; `tidegate plan` before an "
                        "update finds out")  # fmt: skip
        if last["broken"]:
            return [], f"release {release} breaks on it: {', '.join(last['broken'][:3])}"
        if not last["statements"]:
            return [], "the rehearsal found no statement of that release to try"
        found.append(last)
    return found, "" if found else "the schema is at its level"


def _newest(state: State, plan: Mapping[str, Any]) -> Proof | None:
    """Return the newest rehearsal of exactly the steps that a plan undoes, as their code is now,
    on the schema of the same database of the same server, where both sides know that."""
    steps = {step["id"]: step.get("digest", "") for step in plan["steps"]}
    where = plan.get("target", "")
    fits = [one for one in state.proofs()
            if one["steps"] == steps and one["database"] == plan["database"]
            and where in ("", one.get("target", where))]  # fmt: skip
    return fits[-1] if fits and all(steps.values()) else None


def back(state: State, plan: Mapping[str, Any]) -> str:
    """Say whether the way down of these steps was rehearsed."""
    last = _newest(state, plan)
    if last is None:
        return "no rehearsal of it is on record"
    told = _told(last)
    if last.get("back"):
        return f"rehearsed: down and up again gave the same schema ({told})"
    return f"rehearsed, and it did not give the schema back: {told}"


def shown(proof: Proof) -> str:
    """Say what one rehearsal has seen."""
    made_of = "models" if proof["from"] == "models" else "tables"
    return (f"{proof['statements']} statements made up from its {made_of} work on the newer schema "
            f"of {proof['database']}: {_told(proof)}")  # fmt: skip


def _told(proof: Proof) -> str:
    by = f" by {proof['by']}" if proof.get("by") else ""
    return f"plan {proof['plan']}, {proof['made']}{by}"
