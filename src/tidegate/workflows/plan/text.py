"""The plan for someone on call: each step, what it does to which table, and what was found."""

from __future__ import annotations

from typing import Any

from tidegate.model.finding import Findings
from tidegate.model.words import counted
from tidegate.workflows.plan.impact import STRENGTH


def story(found: Findings) -> str:
    """Return the part of the report that comes before the findings."""
    plan = found.extra
    if not plan["steps"]:
        return ""
    rehearsal = plan["rehearsal"]
    where = f" for {plan['where']}" if plan["where"] else ""
    source = "its schema" if rehearsal["source"] == "dump" else "the migrations"
    lines = [f"plan {plan['plan']} of database {plan['database']}{where}",
             f"rehearsed on {rehearsal['engine']}, from {source}"]  # fmt: skip
    for step in plan["steps"]:
        lines += ["", *_step(step)]
    lines += ["", *_ending(plan)]
    return "\n".join(lines)


def _step(step: dict[str, Any]) -> list[str]:
    marks = [] if step["applied"] else ["failed, or not reached"]
    marks += [] if step["atomic"] else ["not in one transaction"]
    marks += [] if step["compatible"] else ["the running release breaks"]
    marks += ["loses data"] if step["destructive"] else []
    if step["applied"]:
        marks.append(_back(step))
    lines = [f"{step['id']}  ({', '.join(marks)})"]
    shown = [one for one in step["statements"] if one["impact"] or strong(one["locks"])
             or (one["locks"] and not _reads(one))]  # fmt: skip
    for one in shown:
        sql = " ".join(one["sql"].split())
        line = f":{one['line']}" if one["line"] else ""
        times = f"  ({one['count']:,} times)" if one["count"] > 1 else ""
        lines.append(
            f"  {one['seconds'] * 1000:7.1f} ms  {sql[:100]}{' …' if len(sql) > 100 else ''}{times}"
        )
        locks = strong(one["locks"])
        if one["impact"] or locks:
            took = ", ".join(f"{mode} {name}" for name, mode in locks.items())
            lines.append("              " + "; ".join(p for p in (took, one["impact"]) if p) +
                         (f"  ({step['path'].rsplit('/', 1)[-1]}{line})"))  # fmt: skip
    rest = len(step["statements"]) - len(shown)
    if rest:
        take = "takes" if rest == 1 else "take"
        lines.append(f"  and {counted(rest, 'statement')} that {take} no lock worth naming")
    if step["online"]:
        lines.append("  apply runs it statement by statement, and in these forms:")
        for one in step["online"]:
            lines += [
                f"    online    {' '.join('; '.join(group).split())}" for group in one["groups"]
            ]
    if step["lost_down"] and step["reversible"]:
        lines.append(f"  taking it back drops {', '.join(step['lost_down'])}")
    return lines


def _reads(statement: dict[str, Any]) -> bool:
    return bool(statement["sql"].lstrip()[:6].upper() == "SELECT")


def _back(step: dict[str, Any]) -> str:
    if not step["reversible"]:
        return "the way back was not proved"
    return "its schema can be taken back" if step["destructive"] else "can be taken back"


def strong(locks: list[dict[str, Any]]) -> dict[str, str]:
    """Return the locks worth reading: on tables, more than a reader's or writer's own."""
    out: dict[str, str] = {}
    for lock in locks:
        name, mode = lock["relation"], lock["mode"]
        if mode in STRENGTH[:3] or lock["kind"] == "index":
            continue
        if name not in out or STRENGTH.index(mode) > STRENGTH.index(out[name]):
            out[name] = mode
    return out


def under_load(rehearsal: dict[str, Any]) -> str:
    """Return how long a reader and a writer had to wait, on the rows that there were."""
    rows = max(rehearsal["rows"].values(), default=0)
    parts = []
    for who, met in rehearsal["load"].items():
        where = f" ({met['table']}, {met['step']})" if met["step"] else ""
        parts.append(f"a {who} {met['seconds'] * 1000:.0f} ms{where}")
    quiet = max(met["quiet"] for met in rehearsal["load"].values())
    return (f"under load, on {rows:,} rows a table: worst wait of {', of '.join(parts)}; "
            f"{quiet * 1000:.0f} ms before the steps")  # fmt: skip


def running_release(release: dict[str, Any]) -> str:
    """Return what was tried of the running release, and where that is from."""
    said = (f"running release: {release['statements']} statements tried after each step, "
            f"from its {release['from']}")  # fmt: skip
    if release["image"] and not release["why"]:
        said += f" (those of {release['image']}, which runs)"
    elif release["why"]:
        said += f" ({release['why']})"
    if release["unnamed"]:
        said += f"; no model names {', '.join(release['unnamed'])}: nothing was tried there"
    return said


def _ending(plan: dict[str, Any]) -> list[str]:
    rehearsal = plan["rehearsal"]
    trip = {"same": "up, down and up again: the schema is the same each time",
            "differs": f"up, down and up again: {rehearsal['why']}",
            "skipped": f"the way down was not rehearsed: {rehearsal['why']}"}  # fmt: skip
    lines = [trip[rehearsal["roundtrip"]]]
    if rehearsal["release"]["statements"]:
        lines.append(running_release(rehearsal["release"]))
    if rehearsal["load"]:
        lines.append(under_load(rehearsal))
    for one in plan["rewrites"]:
        lines += ["", one["why"], "instead:", *(f"  {line}" for line in one["instead"])]
    if plan["needs_approval"]:
        lines.append(f"needs approval ({', '.join(plan['needs_approval'])}): "
                     f"tidegate apply PLAN --approve {plan['plan']}")  # fmt: skip
    return lines
