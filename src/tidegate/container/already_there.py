"""A step that failed because what it makes exists: what that means, and what to type."""

from __future__ import annotations

import re

from tidegate.container.raising import Raising

EXISTS = ("42P07", "42701", "42710")  # duplicate table (or index), column, object
EXISTS_SQLITE = re.compile(r"(table|index|view) \S+ already exists|duplicate column name")
MEANING = (
    "What the step makes is there already: made by hand, by create_all, or by a step whose record "
    "was lost."
)


def is_there(state: str, cause: str) -> bool:
    """Whether a step failed because what it makes exists; SQLite tells by its text alone."""
    return state in EXISTS or (not state and bool(EXISTS_SQLITE.search(cause)))


def after_failure(raising: Raising, there: bool) -> str:
    """Return what to do about a failed step, with what was not started because of it."""
    if there:
        unstarted = f" ({raising.command} was not started)" if raising.command else ""
        return (
            "compare it with what the steps make, then record them: tidegate adopt --plan\n"
            f"or, if it may go, remove it; then run this again{unstarted}"
        )
    if raising.command:
        return f"correct the step and start again; {raising.command} was not started"
    return "correct the step, then run this again"
