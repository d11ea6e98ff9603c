"""The findings that a project has accepted for now: only new ones count."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES, Finding, Findings


class Row(TypedDict):
    """An accepted finding."""

    fingerprint: str
    rule: str
    path: str
    count: int


def fingerprint(one: Finding) -> str:
    """Return what stays the same of a finding while lines move."""
    words = "\0".join((one.rule, one.step, one.place.path, one.message))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def read(path: Path) -> Counter[str]:
    """Return how often each finding is accepted; nothing where there is no file."""
    return Counter({one["fingerprint"]: one["count"] for one in _rows(path)})


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    try:
        raw = json.loads(path.read_text("utf-8"))["findings"]
        return [{"fingerprint": str(one["fingerprint"]), "rule": str(one.get("rule", "")),
                 "path": str(one.get("path", "")), "count": int(one["count"])}
                for one in raw]  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise UsageProblem(
            f"{path} is not a baseline: {error}",
            "It is written by tidegate check --write-baseline.",
            "write it again, or delete it",
        ) from None


def accepted(path: Path, found: Findings, narrow: bool) -> str:
    """Write the findings as accepted; return in words how many, and how grave they are.

    Where only some migrations were reviewed (`narrow`), what was accepted of others stays.
    """
    rows: dict[str, Row] = {one["fingerprint"]: one for one in _rows(path)} if narrow else {}
    counted = Counter(fingerprint(one) for one in found.findings)
    for one in found.findings:
        key = fingerprint(one)
        rows[key] = {"fingerprint": key, "rule": one.rule, "path": one.place.path,
                     "count": counted[key]}  # fmt: skip
    _write(path, sorted(rows.values(), key=lambda r: (r["path"], r["rule"], r["fingerprint"])))
    levels = Counter(one.severity for one in found.findings)
    words = [f"{levels[level]} {level}{'s' * (levels[level] != 1 and level != 'info')}"
             for level in reversed(SEVERITIES) if levels[level]]  # fmt: skip
    number = len(found.findings)
    more = f", beside those of other migrations ({len(rows)} in all)" if narrow else ""
    return f"{number} finding{'s' * (number != 1)} accepted ({', '.join(words) or 'none'}){more}"


def _write(path: Path, rows: Sequence[Row]) -> None:
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
