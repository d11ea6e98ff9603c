"""A finding: what a rule, a check or a rehearsal has to say about one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("info", "warning", "error")  # rising
CONFIDENCES = ("low", "medium", "high")  # rising


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file. `path` is relative to the project, with `/`; lines and columns from 1."""

    path: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say: which rule, where, what it does to the user, what to do instead.

    `message` and `remedy` use the user's own names. `step` is a step's id, or empty. `also` are
    further places that belong to it, such as the other side of a contradiction. `confidence` is
    how sure the rule is that this is what it takes it for. `predicts` is the text that a program
    will print because of it, and `when` the moment, where a rule knows them.
    """

    rule: str
    severity: str
    place: Place
    message: str
    remedy: str = ""
    step: str = ""
    fixable: bool = False
    confidence: str = "high"
    also: tuple[Place, ...] = ()
    predicts: str = ""
    when: str = ""

    def document(self) -> dict[str, Any]:
        """Return the contract's JSON object."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "path": self.place.path,
            "line": self.place.line,
            "column": self.place.column,
            "step": self.step,
            "message": self.message,
            "remedy": self.remedy,
            "fixable": self.fixable,
            "confidence": self.confidence,
            "also": [{"path": p.path, "line": p.line, "note": p.note} for p in self.also],
            **({"predicts": self.predicts, "when": self.when} if self.predicts else {}),
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """What a verb found, for a reporter.

    `verb` is the command that looked. `root` is the project's folder, absolute: sources are read
    from it for excerpts. `extra` holds the verb's further keys of the JSON document (`checked`,
    `plan`, ...). `summary` is the one line that ends a text report.
    """

    verb: str
    root: str
    findings: tuple[Finding, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    summary: str = ""

    def at_least(self, severity: str) -> tuple[Finding, ...]:
        """Return the findings of `severity` or above."""
        lowest = SEVERITIES.index(severity)
        return tuple(one for one in self.findings if SEVERITIES.index(one.severity) >= lowest)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order in which people read them: by file, line, then rule."""
    return tuple(
        sorted(findings, key=lambda f: (f.place.path, f.place.line, f.place.column, f.rule))
    )
