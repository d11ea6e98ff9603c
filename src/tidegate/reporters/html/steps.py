"""Each step with its statements and what they cost; then what changes in the schema."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from tidegate.model.finding import Finding

STRENGTH = ("SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
            "ACCESS EXCLUSIVE")  # fmt: skip


def steps(plan: dict[str, Any], findings: Sequence[Finding]) -> str:
    """Return the section of statements."""
    told = {one.step for one in findings if one.severity != "info"}
    cards = [_step(step, step["id"] in told) for step in plan["steps"]]
    return "\n".join(["<h2>Statements</h2>", *cards])


def _step(step: dict[str, Any], is_open: bool) -> str:
    rows = "".join(_row(one) for one in step["statements"])
    table = (
        '<div class="scroll"><table><thead><tr><th>Statement</th><th>Rehearsed</th>'
        "<th>New locks</th><th>On the target</th><th>Line</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        if rows
        else '<p class="soft">It sends no statement.</p>'
    )
    back = (
        f'<p class="soft">Taking it back drops {escape(", ".join(step["lost_down"]))}.</p>'
        if step["lost_down"] and step["reversible"]
        else ""
    )
    broken = "".join(
        f"<p>The running release fails: <code>{escape(one['sql'])}</code> "
        f'<span class="soft">{escape(one["error"])}</span></p>'
        for one in step["broken"]
    )
    return (
        f'<details class="card"{" open" if is_open else ""}><summary>{escape(step["id"])}'
        f"{_badges(step)}</summary>{table}{_online(step)}{broken}{back}</details>"
    )


def _online(step: dict[str, Any]) -> str:
    """Return the forms in which `apply` runs the step."""
    forms = "".join(
        f"<li><code>{escape('; '.join(group))}</code></li>"
        for one in step["online"]
        for group in one["groups"]
    )
    if not forms:
        return ""
    return f"<p>Applied statement by statement, and in these forms:</p><ol>{forms}</ol>"


def _badges(step: dict[str, Any]) -> str:
    marks = [] if step["applied"] else [("error", "failed, or not reached")]
    marks += [] if step["compatible"] else [("error", "the running release breaks")]
    marks += [("warning", "loses data")] if step["destructive"] else []
    if step["applied"]:
        only = "its schema " if step["destructive"] else ""
        marks.append(("good", f"{only}can be taken back") if step["reversible"]
                     else ("warning", "no proved way back"))  # fmt: skip
    return "".join(f' <span class="badge {kind}">{text}</span>' for kind, text in marks)


def _row(one: dict[str, Any]) -> str:
    locks = ", ".join(f"{mode} {name}" for name, mode in strongest(one["locks"]).items())
    sql = " ".join(one["sql"].split())
    count = f" ({one['count']} times)" if one["count"] > 1 else ""
    blind = f'<br><span class="soft">{escape(one["blind"])}</span>' if one["blind"] else ""
    return (
        f"<tr><td><code>{escape(sql[:600])}</code>{escape(count)}{blind}</td>"
        f'<td class="number">{one["seconds"] * 1000:.1f} ms</td><td>{escape(locks)}</td>'
        f'<td>{escape(one["impact"])}</td><td class="number">{one["line"] or ""}</td></tr>'
    )


def strongest(locks: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return each table's strongest lock; what every reader and writer takes is left out."""
    out: dict[str, str] = {}
    for lock in locks:
        name, mode = lock["relation"], lock["mode"]
        if mode not in STRENGTH or lock["kind"] == "index":
            continue
        if name not in out or STRENGTH.index(mode) > STRENGTH.index(out[name]):
            out[name] = mode
    return out


def difference(plan: dict[str, Any]) -> str:
    """Return the section of what the plan changes in the schema."""
    if not plan["difference"]:
        return ""
    lines = "\n".join(
        f'<span class="{"plus" if line[0] == "+" else "minus"}">{escape(line)}</span>'
        for line in plan["difference"]
    )
    parts = [f"<h2>The schema, before and after</h2>\n<pre>{lines}</pre>"]
    if plan["rehearsal"]["down_difference"]:
        back = "\n".join(escape(line) for line in plan["rehearsal"]["down_difference"])
        parts.append(f"<h2>What the way down leaves different</h2>\n<pre>{back}</pre>")
    return "\n".join(parts)
