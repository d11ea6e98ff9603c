"""GitLab's code quality report, which merge requests show beside the changed lines.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from tidegate.contracts.reporter import in_repository
from tidegate.model.finding import Findings

LEVELS = {"error": "critical", "warning": "major", "info": "info"}


def render(found: Findings, colour: bool) -> str:
    """Return the report: a list of issues, each with a fingerprint that survives moved lines."""
    seen: Counter[str] = Counter()
    issues = []
    above = in_repository(found.root)
    for one in found.findings:
        words = "\0".join((one.rule, one.place.path, one.step, one.message))
        number = seen[words]
        seen[words] += 1
        fingerprint = hashlib.sha256(f"{words}\0{number}".encode()).hexdigest()
        issues.append(
            {
                "description": f"{one.message.rstrip('.')}. Next: {one.remedy}"
                if one.remedy
                else one.message,
                "check_name": one.rule,
                "fingerprint": fingerprint,
                "severity": LEVELS[one.severity],
                "location": {
                    "path": above + one.place.path,
                    "lines": {"begin": max(one.place.line, 1)},
                },
            }
        )
    return json.dumps(issues, indent=2)
