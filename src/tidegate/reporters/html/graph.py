"""The pending steps and what they stand on, as a graph with one row a step."""

from __future__ import annotations

from html import escape
from typing import Any

ROW, LANE, LEFT, LETTER = 28, 22, 16, 8.2  # pixels


def graph(plan: dict[str, Any]) -> str:
    """Return the section: newest at the bottom; hollow dots are deployed already."""
    pending = {step["id"]: step for step in plan["steps"]}
    below = [need for step in plan["steps"] for need in step["needs"] if need not in pending]
    rows = [*dict.fromkeys(below), *pending]
    lanes = _lanes(rows, pending)
    width_of_lanes = LEFT + (max(lanes.values()) + 1) * LANE
    parts = []
    longest = 0
    for step in plan["steps"]:
        parts += [_edge(rows, lanes, need, step["id"]) for need in step["needs"]]
    for number, name in enumerate(rows):
        x, y = LEFT + lanes[name] * LANE, number * ROW + 16
        kind = "there" if name not in pending else ("" if _good(pending[name]) else "bad")
        note = " (deployed)" if name not in pending else _note(pending[name])
        longest = max(longest, len(name + note))
        tone = ' class="soft"' if name not in pending else ""
        parts.append(
            f'<circle class="node {kind}" cx="{x}" cy="{y}" r="5.5"/>'
            f'<text{tone} x="{width_of_lanes + 8}" y="{y + 4}">{escape(name + note)}</text>'
        )
    height = len(rows) * ROW + 8
    return (
        '<h2>Steps</h2>\n<div class="card scroll">'
        f'<svg width="{width_of_lanes + 24 + longest * LETTER:.0f}" height="{height}" role="img" '
        f'aria-label="the pending steps and what they need">{"".join(parts)}</svg></div>'
    )


def _lanes(rows: list[str], pending: dict[str, Any]) -> dict[str, int]:
    """Give each step a lane: that of a need that no other step has gone on from, else a new one."""
    lanes: dict[str, int] = {}
    taken: set[str] = set()
    for name in rows:
        needs = [one for one in pending.get(name, {"needs": []})["needs"] if one in lanes]
        free = [one for one in needs if one not in taken]
        if free:
            lanes[name] = min(lanes[one] for one in free)
            taken.update(free)
        elif name not in pending:
            lanes[name] = len(lanes)
        else:
            lanes[name] = max(lanes.values(), default=-1) + 1
    return lanes


def _edge(rows: list[str], lanes: dict[str, int], start: str, end: str) -> str:
    x1, y1 = LEFT + lanes[start] * LANE, rows.index(start) * ROW + 16
    x2, y2 = LEFT + lanes[end] * LANE, rows.index(end) * ROW + 16
    if x1 == x2:
        return f'<path class="edge" d="M{x1} {y1} V{y2}"/>'
    turn = y2 - ROW / 2
    return f'<path class="edge" d="M{x1} {y1} V{turn} Q{x1} {y2} {x2} {y2}"/>'


def _good(step: dict[str, Any]) -> bool:
    return bool(step["compatible"] and step["applied"])


def _note(step: dict[str, Any]) -> str:
    notes = [] if step["applied"] else ["failed, or not reached"]
    notes += [] if step["compatible"] else ["the running release breaks"]
    notes += ["loses data"] if step["destructive"] else []
    notes += [] if step["atomic"] else ["not in one transaction"]
    notes += ["no way back"] if step["irreversible"] else []
    return f"  ·  {', '.join(notes)}" if notes else ""
