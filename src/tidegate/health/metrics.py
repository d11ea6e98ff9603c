"""Readiness as metrics: a part for the app's own /metrics."""

from __future__ import annotations

from tidegate.container.health.checking import Health

HELP = {
    "tidegate_ready": "1 when every step that the code needs is applied",
    "tidegate_missing_steps": "steps of the code that the database lacks",
    "tidegate_unknown_steps": "steps of the database that the code does not know",
}


def metrics_text(health: Health) -> str:
    """Return the families of one Health as text, without an end mark; waits as readiness does."""
    found = health.answers()
    values = {
        "tidegate_ready": [(one.alias, int(one.ready)) for one in found],
        "tidegate_missing_steps": [(one.alias, len(one.missing)) for one in found],
        "tidegate_unknown_steps": [(one.alias, len(one.unknown)) for one in found],
    }
    lines = []
    for name, help in HELP.items():
        lines += [f"# TYPE {name} gauge", f"# HELP {name} {help}"]
        lines += [f'{name}{{database="{alias}"}} {value}' for alias, value in values[name]]
    return "\n".join(lines) + "\n"
