"""The findings that a project has accepted for now: only new ones count."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tidegate.errors import UsageProblem
from tidegate.model.finding import Finding


def fingerprint(one: Finding) -> str:
    """Return what stays the same of a finding while lines move."""
    words = "\0".join((one.rule, one.step, one.place.path, one.message))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def read(path: Path) -> Counter[str]:
    """Return how often each finding is accepted; nothing where there is no file."""
    if not path.is_file():
        return Counter()
    try:
        raw = json.loads(path.read_text("utf-8"))
        return Counter({one["fingerprint"]: int(one["count"]) for one in raw["findings"]})
    except (ValueError, KeyError, TypeError) as error:
        raise UsageProblem(
            f"{path} is not a baseline: {error}",
            "It is written by tidegate check --write-baseline.",
            "write it again, or delete it",
        ) from None


def write(path: Path, findings: Sequence[Finding]) -> int:
    """Write the findings as accepted; return how many."""
    counted: dict[str, dict[str, object]] = {}
    for one in findings:
        key = fingerprint(one)
        if key not in counted:
            counted[key] = {
                "fingerprint": key,
                "rule": one.rule,
                "path": one.place.path,
                "count": 0,
            }
        counted[key]["count"] = int(str(counted[key]["count"])) + 1
    rows = sorted(counted.values(), key=lambda row: (row["path"], row["rule"], row["fingerprint"]))
    document = {"version": 1, "findings": rows}
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise UsageProblem(
            f"{path} can't be written: {error.strerror}",
            "The baseline is kept beside the migrations, and committed.",
            f"give this user the right to write in {path.parent}, or set baseline in "
            "[tool.tidegate.check]",
        ) from None
    return len(findings)


def split(findings: Sequence[Finding], accepted: Counter[str]) -> tuple[list[Finding], int]:
    """Return the findings that are not accepted, and how many are."""
    left, kept = Counter(accepted), []
    for one in findings:
        key = fingerprint(one)
        if left[key] > 0:
            left[key] -= 1
        else:
            kept.append(one)
    return kept, len(findings) - len(kept)
