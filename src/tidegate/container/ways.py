"""The ways back in words: what is undone, by which way, what it loses, and what to type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.container.undoing import Plan

FINISH = "correct the step that is half applied, then: tidegate migrate"
FORWARD = "write a new step that undoes the change, then: tidegate migrate"


def advice(found: Plan) -> str:
    """Return what to type next."""
    if not found.steps and not found.half:
        return "nothing to do"
    if found.chosen is None:
        other = next((way.name for way in found.ways if not way.why_not), "")
        if not other and found.half:
            return FINISH
        return f"tidegate rollback --way {other} --plan" if other else FORWARD
    word = f" --approve {found.word}" if found.chosen.loses else ""
    return f"{found.command}{word}"


def text(raw: Mapping[str, Any]) -> list[str]:
    """Return a plan, as its document has it, for people."""
    half = raw.get("half") or []
    if not raw["steps"] and not half:
        return [f"{raw['database']}: nothing is to be undone ({raw['goal']})"]
    lines = [f"{raw['database']}: back to the level at which it was {raw['goal']}"]
    for step in raw["steps"]:
        mark = "" if step["reversible"] else f"  (it has no way down: {step['why']})"
        lines.append(f"  undo {step['id']}{mark}")
    lines += [
        f"  {step} is half applied: going down leaves that half, and the next migrate goes on there"
        for step in half
    ]
    for way in raw["ways"]:
        lines += _way(way, way["way"] == raw["chosen"])
    if not raw["chosen"] and not any(way["possible"] for way in raw["ways"]):
        lines.append("  only forward is left")
    return [*lines, f"next: {raw['next']}"]


def _way(way: Mapping[str, Any], is_chosen: bool) -> list[str]:
    name = f"{way['way']} {way['backup']}" if way["backup"] else way["way"]
    if not way["possible"]:
        return [f"  way {name}: closed: {way['why']}"]
    lacks = way.get("lacks") or []
    losing = "loses:" if way["loses"] else f"loses nothing{' more' if lacks else ''}"
    seen = f"{way['rehearsed']}; " if way.get("rehearsed") else ""
    lines = [f"  way {name}: {'taken' if is_chosen else 'open'}, {seen}{losing}"]
    lines += [f"    {line}" for line in way["loses"]]
    if lacks:
        lines.append("    does not bring back what went when it was applied:")
    return lines + [f"      {line}" for line in lacks]
