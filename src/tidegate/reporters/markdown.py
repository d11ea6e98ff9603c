"""Markdown, for a comment on a pull request or a job's summary."""

from __future__ import annotations

from tidegate.model.finding import SEVERITIES, Finding, Findings

TITLES = {"error": "Errors", "warning": "Warnings", "info": "For your information"}


def render(found: Findings, colour: bool) -> str:
    """Return the summary, then a list for each severity, the gravest first."""
    parts = [f"### tidegate {found.verb}"]
    if found.summary:
        parts.append(_text(found.summary))
    for severity in reversed(SEVERITIES):
        some = [one for one in found.findings if one.severity == severity]
        if some:
            parts.append(f"#### {TITLES[severity]}")
            parts.append("\n".join(_item(one) for one in some))
    return "\n\n".join(parts)


def _item(one: Finding) -> str:
    where = f"{one.place.path}:{one.place.line}" if one.place.line else one.place.path
    out = f"- **{one.rule}** `{where}`: {_text(one.message.rstrip('.'))}."
    return out + (f"\n  Next: {_text(one.remedy)}" if one.remedy else "")


def _text(text: str) -> str:
    """Return text that Markdown shows as it stands."""
    out = " ".join(text.split())
    for letter in "\\`*_<>|[]#":
        out = out.replace(letter, "\\" + letter)
    return out
