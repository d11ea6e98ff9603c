"""One JSON object a line: the findings, then the summary."""

from __future__ import annotations

import json

from tidegate.model.finding import Findings


def render(found: Findings, colour: bool) -> str:
    """Return an event a line; `event` says which kind it is."""
    lines = [json.dumps({"event": "finding", **one.document()}) for one in found.findings]
    lines.append(json.dumps({"event": "summary", "text": found.summary, **found.extra}))
    return "\n".join(lines)
