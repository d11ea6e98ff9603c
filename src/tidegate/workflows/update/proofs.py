"""What rehearsals have proved: that the release which ran then works on the schema after the steps.

`tidegate plan` writes it down beside the releases; a rollback that leaves the schema as it is asks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.workflows.update.state import State

KEPT = 50  # rehearsals

Proof = Mapping[str, Any]


def remember(state: State, plan: Mapping[str, Any]) -> None:
    """Write down what a rehearsal on the target's schema has seen; a failed one proves nothing."""
    steps, release = plan["steps"], plan["rehearsal"]["release"]
    if not steps or not plan["basis"].get("target") or not all(one["applied"] for one in steps):
        return
    broken = [f"{each['word']} on {each['table']}" for one in steps for each in one["broken"]]
    entry = {
        "plan": plan["plan"],
        "database": plan["database"],
        "made": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "steps": {one["id"]: one["digest"] for one in steps},
        "statements": release["statements"],
        "from": release["from"],
        "broken": broken,
    }
    state.prove([*state.proofs(), entry][-KEPT:])


def of(state: State, plans: Sequence[Mapping[str, Any]], release: str) -> tuple[list[Proof], str]:
    """Return the rehearsals by which a release runs on the schema as it is, or why none says so.

    Each has to be of exactly the steps that would be undone: then it began where the release ran.
    """
    found: list[Proof] = []
    for one in plans:
        steps = {step["id"]: step.get("digest", "") for step in one["steps"]}
        if not steps:
            continue
        fits = [each for each in state.proofs() if each["steps"] == steps
                and each["database"] == one["database"]]  # fmt: skip
        if not fits or not all(steps.values()):
            names = ", ".join(list(steps)[-3:])
            return [], (f"no rehearsal of {names} from here says that release {release} runs on "
                        "the newer schema; `tidegate plan` before an update finds out")  # fmt: skip
        last = fits[-1]
        if last["broken"]:
            return [], f"release {release} breaks on it: {', '.join(last['broken'][:3])}"
        if not last["statements"]:
            return [], "the rehearsal found no statement of that release to try"
        found.append(last)
    return found, "" if found else "the schema is at its level"


def shown(proof: Proof) -> str:
    """Say what one rehearsal has seen."""
    made_of = "models" if proof["from"] == "models" else "tables"
    return (f"{proof['statements']} statements made up from its {made_of} work on the newer schema "
            f"of {proof['database']}: plan {proof['plan']}, {proof['made']}")  # fmt: skip
