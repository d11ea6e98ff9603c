"""One HTML page that needs nothing beside it: no network, no scripts; light and dark."""

from __future__ import annotations

from html import escape
from importlib import resources
from typing import Any

from tidegate.model.finding import SEVERITIES, Finding, Findings
from tidegate.reporters.html.graph import graph
from tidegate.reporters.html.steps import difference, steps
from tidegate.reporters.html.timeline import timeline


def render(found: Findings, colour: bool) -> str:
    """Return the page."""
    style = resources.files(__package__).joinpath("style.css").read_text("utf-8")
    plan = found.extra if found.extra.get("steps") else {}
    parts = [_head(found, plan), _findings(found)]
    if plan:
        parts += [timeline(plan), graph(plan), steps(plan, found.findings), difference(plan)]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>tidegate {escape(found.verb)} {escape(plan.get('plan', ''))}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>"
    )


def _head(found: Findings, plan: dict[str, Any]) -> str:
    title = f"Plan {plan['plan']}" if plan else f"tidegate {found.verb}"
    lines = [f"<h1>{escape(title)}</h1>"]
    if plan:
        rehearsal = plan["rehearsal"]
        source = "its schema" if rehearsal["source"] == "dump" else "the migrations"
        where = f" at <code>{escape(plan['where'])}</code>" if plan["where"] else ""
        lines.append(
            f'<p class="soft">Database <code>{escape(plan["database"])}</code>{where}, rehearsed '
            f"on {escape(rehearsal['engine'])} from {source}.</p>"
        )
    chips = "".join(f'<li class="{kind}">{escape(text)}</li>' for kind, text in _chips(found, plan))
    return "\n".join([*lines, f'<ul class="chips">{chips}</ul>'])


def _chips(found: Findings, plan: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the few facts that decide, each with its colour."""
    counts = {name: sum(one.severity == name for one in found.findings) for name in SEVERITIES}
    chips = [
        (name if counts[name] else "good", f"{counts[name]} {name}{'s' * (counts[name] != 1)}")
        for name in ("error", "warning")
    ]
    if not plan:
        return chips
    count = len(plan["steps"])
    trip = {"same": ("good", "up, down and up again: the same schema"),
            "differs": ("warning", "up, down and up again: not the same"),
            "skipped": ("warning", "the way down was not rehearsed")}  # fmt: skip
    breaking = sum(not one["compatible"] for one in plan["steps"])
    chips += [("", f"{count} step{'s' * (count != 1)}"), trip[plan["rehearsal"]["roundtrip"]]]
    if plan["rehearsal"]["release"]["statements"]:
        chips.append(("error", f"the running release breaks at {breaking} "
                      f"step{'s' * (breaking != 1)}") if breaking
                     else ("good", "the running release survives"))  # fmt: skip
    if plan["needs_approval"]:
        chips.append(("warning", "needs approval"))
    return chips


def _findings(found: Findings) -> str:
    if not found.findings:
        return f"<h2>Findings</h2>\n<p>{escape(found.summary) or 'None.'}</p>"
    rank = {name: -at for at, name in enumerate(SEVERITIES)}
    ordered = sorted(found.findings, key=lambda one: rank[one.severity])
    loud = [one for one in ordered if one.severity != "info"]
    quiet = [one for one in ordered if one.severity == "info"]
    parts = ["<h2>Findings</h2>", *(_finding(one) for one in loud)]
    if quiet:
        cards = "\n".join(_finding(one) for one in quiet)
        parts.append(f'<details class="more"><summary>{len(quiet)} for information</summary>\n'
                     f"{cards}</details>")  # fmt: skip
    return "\n".join(parts)


def _finding(one: Finding) -> str:
    where = f"{one.place.path}:{one.place.line}" if one.place.line else one.place.path
    also = "".join(
        f'<p class="soft">also <code>{escape(p.path)}:{p.line}</code> {escape(p.note)}</p>'
        for p in one.also
    )
    remedy = f"<pre>{escape(one.remedy)}</pre>" if one.remedy else ""
    return (
        f'<article class="card finding {one.severity}"><header>'
        f'<span class="badge {one.severity}">{one.severity}</span>'
        f'<span class="rule">{escape(one.rule)}</span>'
        f'<span class="where soft">{escape(where)}</span></header>\n'
        f"<p>{escape(one.message)}</p>{also}{remedy}</article>"
    )
