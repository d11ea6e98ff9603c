"""One JSON document: `{"findings": [...], ...}`."""

from __future__ import annotations

import json

from tidegate.model.finding import Findings


def render(found: Findings, colour: bool) -> str:
    """Return the contract's document."""
    document = {"findings": [one.document() for one in found.findings], **found.extra}
    return json.dumps(document, indent=2)
