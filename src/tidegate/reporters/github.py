"""Annotations for GitHub Actions: one workflow command a finding.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from tidegate.contracts.reporter import in_repository
from tidegate.model.finding import Finding, Findings

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def render(found: Findings, colour: bool) -> str:
    """Return the annotations, then the summary as a plain line."""
    above = in_repository(found.root)
    lines = [_line(one, above) for one in found.findings]
    return "\n".join([*lines, found.summary] if found.summary else lines)


def _line(one: Finding, above: str) -> str:
    place = one.place
    words = {"file": above + place.path, "title": f"tidegate {one.rule}"}
    if place.line:
        words["line"] = str(place.line)
    if place.end_line:
        words["endLine"] = str(place.end_line)
    options = ",".join(f"{key}={_property(value)}" for key, value in words.items())
    message = one.message + (f"\nnext: {one.remedy}" if one.remedy else "")
    return f"::{LEVELS[one.severity]} {options}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
