"""A step that failed because what it makes exists: what that means, and what to type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tidegate.container.raising import Raising
from tidegate.model.level import Verdict, ancestors
from tidegate.model.step import Step

EXISTS = ("42P07", "42701", "42710")  # duplicate table (or index), column, object
EXISTS_SQLITE = re.compile(r"(table|index|view) \S+ already exists|duplicate column name")
TABLE = re.compile(r"(?<!of )(?:relation|table) [\"'`]?([\w.]+)[\"'`]? already exists")
MEANING = (
    "What the step makes is there already: made by hand, by create_all, or by a step whose record "
    "was lost."
)
ADOPT = "compare it with what the steps make, then record them: tidegate adopt --plan"


def is_there(state: str, cause: str) -> bool:
    """Whether a step failed because what it makes exists; SQLite tells by its text alone."""
    return state in EXISTS or (not state and bool(EXISTS_SQLITE.search(cause)))


def maker(steps: Sequence[Step], before: Verdict, step: str, cause: str) -> Step | None:
    """Return the other step of this code that is applied and makes the table, if there is one."""
    found = TABLE.search(cause)
    if not found or step not in before.pending:
        return None
    applied = {*before.applied, *before.pending[: before.pending.index(step)]}
    table = found[1].rpartition(".")[2]
    return next((s for s in steps if s.id in applied and s.id != step and _makes(s, table)), None)


def _makes(step: Step, table: str) -> bool:
    try:
        text = Path(step.path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in _making(step, table))


def _making(step: Step, table: str) -> Iterator[str]:
    name = re.escape(table)
    yield rf"create_table\(\s*f?[\"']{name}[\"']"
    yield rf"create\s+table\s+(?:if\s+not\s+exists\s+)?[\w\"`.]*\b{name}\b"
    app, dot, _ = step.id.partition(".")
    if dot and table.startswith(f"{app}_"):
        model = re.escape(table.removeprefix(f"{app}_"))
        yield rf"CreateModel\(\s*(?:name\s*=\s*)?[\"']{model}[\"']"


def made_twice(steps: Sequence[Step], step: str, other: Step) -> str:
    """Return what it means that two steps make the same table."""
    text = f"Step {other.id} makes it too, and is applied: {other.path or 'no file'}."
    below, own = ancestors(steps, [other.id]), ancestors(steps, [step])
    if other.id in own:
        return text
    common = "that begin apart: no step is below both" if not below & own else ""
    return f"{text}\nNeither needs the other: they are of two branches {common}".rstrip() + "."


def after_failure(raising: Raising, there: bool, step: str = "", other: Step | None = None) -> str:
    """Return what to do about a failed step, with what was not started because of it."""
    unstarted = f" ({raising.command} was not started)" if raising.command else ""
    if other is not None:
        return (
            f"take out of {step} what {other.id} makes, or remove its file if it makes nothing "
            f"else; then run this again{unstarted}"
        )
    if there:
        return f"{ADOPT}\nor, if it may go, remove it; then run this again{unstarted}"
    if raising.command:
        return f"correct the step and start again; {raising.command} was not started"
    return "correct the step, then run this again"
