"""From an error text to the checks that explain it: in this project, or in general."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import languages, ranking
from tidegate.workflows.doctor.story import Diagnosis, checks


@dataclass(frozen=True)
class Explanation:
    """A check whose error text appears. `here` says that it found its fault in this project."""

    rule: str
    what: str
    when: str
    matched: str
    here: bool

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "rule": self.rule,
            "what": self.what,
            "when": self.when,
            "matched": self.matched,
            "here": self.here,
        }


def explain(
    text: str,
    found: Sequence[Diagnosis],
    project: ProjectFiles | None = None,
    asked: bool = False,
) -> list[Explanation]:
    """Return the checks that explain `text`: those with a finding here first, then the likeliest.

    `asked` says that the engine was asked what runs.
    """
    text = languages.in_english(ranking.plain(text))
    here = {one.rule for one in found}
    places: dict[str, tuple[int, ...]] = {}
    out = []
    for rule, check in checks().items():
        match = _best(check.ERRORS, text)
        if match:
            first = (check.__doc__ or "").strip().split("\n")[0]
            places[rule] = ranking.place(rule, check, match, text, project, asked)
            out.append(Explanation(rule, first, check.WHEN, match, rule in here))
    return sorted(out, key=lambda one: (not one.here, places[one.rule], one.rule))


def _best(expressions: Sequence[str], text: str) -> str:
    """Return the longest piece of the text that one of the expressions finds."""
    found = [match[0] for one in expressions if (match := re.search(one, text, re.I))]
    return max(found, key=len) if found else ""


def lines(explained: Sequence[Explanation], others: int = 0) -> list[str]:
    """Return the explanations for people: what is seen here, or what it can be elsewhere.

    `others` counts the findings of this project that have nothing to do with the text.
    """
    here = [one for one in explained if one.here]
    if here:
        return [
            "This project has what prints that:",
            *(f"  {one.rule}: {one.what}" for one in here),
        ]
    if not explained:
        return [
            "No check knows that text.",
            "  next: give the lines around it too, such as the container's whole log:",
            "        docker compose logs SERVICE | tidegate doctor --error -",
            *_others(others),
        ]
    out = ["Nothing in this project's files explains it. Elsewhere it comes from:"]
    for one in explained[:5]:
        out += [f"  {one.rule}: {one.what}", f"    it shows {one.when}"]
    out.append("  next: tidegate doctor --live looks at what runs, which files can't show")
    return [*out, *_others(others)]


def _others(count: int) -> list[str]:
    if not count:
        return []
    many = "is one finding" if count == 1 else f"are {count} findings"
    return [f"        or tidegate doctor: there {many} in this project that may come first"]
