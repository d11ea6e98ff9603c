"""How an update ended, as the JSON document."""

from __future__ import annotations

from typing import Any

from tidegate.errors import TidegateError
from tidegate.workflows.update.updating import Update


def done(one: Update, outcome: str) -> dict[str, Any]:
    """Return the result as the JSON document."""
    found = [] if one.dry else one.seen()
    return {
        "outcome": outcome,
        "project": one.target.name,
        "migrated": one.migrated,
        "replaced": one.replaced,
        "services": [
            {"name": each.service, "state": each.state, "health": each.health,
             "image": each.image, "restarts": each.restarts}
            for each in found
        ],
        "seconds": {name: round(took, 2) for name, took in one.seconds.items()},
    }  # fmt: skip


def failed(one: Update, error: TidegateError) -> dict[str, object]:
    """Return the JSON document of an update that failed; it asks the engine nothing more."""
    outcome = {8: "undone", 9: "not undone"}.get(error.exit_code, "refused")
    return {
        "outcome": outcome,
        "project": one.target.name,
        "exit_code": error.exit_code,
        "error": error.what,
        "why": error.meaning.splitlines(),
        "next": error.next,
        "migrated": one.migrated,
        "lowered": one.lowered,
        "replaced": one.replaced,
        "seconds": {name: round(took, 2) for name, took in one.seconds.items()},
    }
