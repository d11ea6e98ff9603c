"""SARIF 2.1.0, for code scanning and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any
from urllib.parse import quote

from tidegate._version import __version__
from tidegate.contracts.reporter import in_repository
from tidegate.model.finding import Finding, Findings, Place

LEVELS = {"error": "error", "warning": "warning", "info": "note"}
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def render(found: Findings, colour: bool) -> str:
    """Return the log: one run, with the rules that spoke."""
    names = sorted({one.rule for one in found.findings})
    index = {name: number for number, name in enumerate(names)}
    seen: Counter[str] = Counter()
    results = []
    above = in_repository(found.root)
    for one in found.findings:
        words = "\0".join((one.rule, one.step, one.place.path, one.message))
        results.append(_result(one, index[one.rule], words, seen[words], above))
        seen[words] += 1
    driver = {
        "name": "tidegate",
        "version": __version__,
        "informationUri": "https://pypi.org/project/tidegate/",
        "rules": [
            {"id": name, "shortDescription": {"text": name.replace("-", " ")}} for name in names
        ],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": f"tidegate/{found.verb}/"},
        "originalUriBaseIds": {
            "PROJECT": {
                "description": {
                    "text": "the repository, or the project's folder where there is none"
                }
            }
        },
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(one: Finding, index: int, words: str, number: int, above: str) -> dict[str, Any]:
    text = f"{one.message.rstrip('.')}. Next: {one.remedy}" if one.remedy else one.message
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": LEVELS[one.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(one.place, above)}],
        "partialFingerprints": {
            "tidegate/v1": hashlib.sha256(f"{words}\0{number}".encode()).hexdigest()
        },
        "properties": {"confidence": one.confidence, "step": one.step, "fixable": one.fixable},
    }
    if one.also:
        result["relatedLocations"] = [
            {
                "id": n,
                "physicalLocation": _physical(place, above),
                "message": {"text": place.note or "also"},
            }
            for n, place in enumerate(one.also, 1)
        ]
    return result


def _physical(place: Place, above: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "artifactLocation": {"uri": quote(above + place.path), "uriBaseId": "PROJECT"},
    }
    if place.line:
        region = {"startLine": place.line}
        if place.column:
            region["startColumn"] = place.column
        if place.end_line >= place.line:
            region["endLine"] = place.end_line
            if place.end_column:
                region["endColumn"] = place.end_column
        out["region"] = region
    return out
