"""The plan as a comment on a pull request: a table of the steps, then the findings."""

from __future__ import annotations

from typing import Any

from tidegate.model.finding import SEVERITIES, Finding, Findings
from tidegate.model.words import counted
from tidegate.workflows.plan.text import strong

MOST = 3  # statements whose cost a row of the table tells


def render(found: Findings) -> str:
    """Return the comment."""
    plan = found.extra
    lines = [f"### Migration plan `{plan['plan']}`", "", found.summary + ".", ""]
    if plan["steps"]:
        lines += ["| step | locks | on the target | running release | way back |",
                  "| --- | --- | --- | --- | --- |"]  # fmt: skip
        lines += [_row(step) for step in plan["steps"]]
        lines += ["", _engine(plan)]
    loud = [one for one in found.findings if one.severity != "info"]
    for one in sorted(loud, key=lambda f: -SEVERITIES.index(f.severity)):
        lines += ["", *_finding(one)]
    quiet = [one for one in found.findings if one.severity == "info"]
    if quiet:
        lines += ["", f"<details><summary>{len(quiet)} for information</summary>", ""]
        for one in quiet:
            lines += [f"- `{one.rule}` {_where(one)}: {_safe(one.message)}"]
        lines += ["", "</details>"]
    return "\n".join(lines)


def _row(step: dict[str, Any]) -> str:
    locks = strong([lock for one in step["statements"] for lock in one["locks"]])
    shown = ", ".join(f"{mode} `{name}`" for name, mode in locks.items()) or "none"
    work = [one["impact"] for one in step["statements"]
            if one["impact"] and (one["scans"] or one["rewrites"])]  # fmt: skip
    kinds = list(dict.fromkeys(work))
    if len(kinds) > MOST:
        kinds[MOST:] = [f"and {counted(len(kinds) - MOST, 'statement')} more"]
    cost = "; ".join(kinds) or ("metadata only" if locks else "nothing there yet")
    release = "survives" if step["compatible"] else "**breaks**"
    back = "proved" if step["reversible"] else f"**{step['irreversible'] or 'not proved'}**"
    if not step["applied"]:
        cost, release, back = "**failed, or not reached**", "", ""
    return f"| `{step['id']}` | {shown} | {_safe(cost)} | {release} | {_safe(back)} |"


def _engine(plan: dict[str, Any]) -> str:
    rehearsal = plan["rehearsal"]
    source = "the target's schema" if rehearsal["source"] == "dump" else "the migrations"
    trip = {"same": "up, down and up again leave the same schema",
            "differs": f"up, down and up again: {rehearsal['why']}",
            "skipped": f"the way down was not rehearsed: {rehearsal['why']}"}  # fmt: skip
    return f"Rehearsed on {rehearsal['engine']} from {source}; {trip[rehearsal['roundtrip']]}."


def _finding(one: Finding) -> list[str]:
    mark = {"error": "🛑", "warning": "⚠️"}[one.severity]
    lines = [f"{mark} **{one.rule}** {_where(one)}", "", _safe(one.message)]
    if one.remedy:
        lines += ["", "```", one.remedy, "```"]
    return lines


def _where(one: Finding) -> str:
    return f"`{one.place.path}:{one.place.line}`" if one.place.line else f"`{one.place.path}`"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
