"""Text for people: one paragraph a finding, then the summary."""

from __future__ import annotations

from tidegate.model.finding import Finding, Findings


def render(found: Findings, colour: bool) -> str:
    """Return the report as text."""
    parts = ["\n".join(_lines(one)) for one in found.findings]
    return "\n\n".join([*parts, found.summary] if found.summary else parts)


def _lines(one: Finding) -> list[str]:
    where = f"{one.place.path}:{one.place.line}" if one.place.line else one.place.path
    out = [f"{one.severity}  {one.rule}  {where}", f"  {one.message}"]
    out += [f"  also {place.path}:{place.line}  {place.note}".rstrip() for place in one.also]
    if one.remedy:
        first, *rest = one.remedy.splitlines()
        out += [f"  next: {first}", *(f"        {line}" for line in rest)]
    return out
