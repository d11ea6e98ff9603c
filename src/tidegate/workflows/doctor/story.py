"""Doctor: read the project once, run every check over it, and say what each found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidegate import discovery
from tidegate.contracts.check import Problem
from tidegate.model.finding import SEVERITIES, Finding, Findings, Place
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.workflows.doctor import sharing

# What stands for something of the project in a check's example.
_NAMES = re.compile(
    r"shop|/app\b|todo|users_|variant_|mail_|events_|\btotal\b|storages|cache:|\bdb:\d|line \d|2026"
    r"""|"(database|db|word|localhost|app|curl)"|'(localhost|css/|pa')|deploy\.lock|\b588\b"""
)
_ALLOW = re.compile(r"tidegate:\s*allow\s+([\w, -]+)")


@dataclass(frozen=True)
class Diagnosis:
    """A problem with the check that saw it."""

    rule: str
    severity: str
    problem: Problem
    printed: str = ""
    when: str = ""
    fits: bool = True  # off where its mend would bring another fault

    @property
    def finding(self) -> Finding:
        """The problem as every verb reports it."""
        one = self.problem
        return Finding(
            self.rule, self.severity, one.place, one.message, one.remedy,
            fixable=bool(one.edits) and self.fits, confidence=one.confidence, also=one.also,
            predicts=self.predicts, when=self.when,
        )  # fmt: skip

    @property
    def predicts(self) -> str:
        """The error that follows, said to be an example where its names are not this project's."""
        if self.problem.printed or not self.printed:
            return self.problem.printed
        first = self.printed.strip().split("\n")[0]
        return f"such as {first}" if _NAMES.search(first) else first


def checks() -> dict[str, Any]:
    """Return every check by its rule's name."""
    found = zip(discovery.names("checks"), discovery.modules("checks"), strict=True)
    return {name.replace("_", "-"): module for name, module in found}


def examine(
    project: ProjectFiles, live: Live | None = None, ignore: Sequence[str] = ()
) -> list[Diagnosis]:
    """Return what the checks see, each place once, in the order in which people read it."""
    out: dict[tuple[str, str, int, str], Diagnosis] = {}
    messages: dict[tuple[str, str, int, str], list[str]] = {}
    for rule, check in checks().items():
        if rule in ignore:
            continue
        for problem in _looked(check, project, live):
            severity = problem.severity or check.SEVERITY
            place = problem.place
            key = (rule, place.path, place.line, "" if place.line else problem.message)
            messages.setdefault(key, []).append(problem.message)
            if key not in out and not _allowed(project, rule, problem):
                printed = "" if check.WHEN.startswith(("never", "now")) else check.PRINTED
                out[key] = Diagnosis(rule, severity, problem, printed, check.WHEN)
    for key, one in out.items():
        problem = sharing.guarded(project, one.problem, messages[key])
        out[key] = replace(one, problem=problem)
    return sorted(out.values(), key=_order)


def _order(one: Diagnosis) -> tuple[str, int, str]:
    """By file, line, then rule, as `in_order` puts findings."""
    return (one.problem.place.path, one.problem.place.line, one.rule)


def _looked(check: Any, project: ProjectFiles, live: Live | None) -> Iterable[Problem]:
    if hasattr(check, "look"):
        yield from check.look(project)
    if live is not None and hasattr(check, "look_live"):
        yield from check.look_live(project, live)


def _allowed(project: ProjectFiles, rule: str, problem: Problem) -> bool:
    """A comment on the line, or on the line above, lets a finding be."""
    for place in (problem.place, *problem.also):
        lines = (project.read(place.path) or "").split("\n") if place.line else []
        for line in lines[max(0, place.line - 2) : place.line]:
            found = _ALLOW.search(line)
            if found and rule in re.split(r"[,\s]+", found[1]):
                return True
    return False


def for_people(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings with the worst first, and each that several files share only once."""
    worst = sorted(findings, key=lambda one: -SEVERITIES.index(one.severity))  # stable
    out: dict[tuple[str, str], Finding] = {}
    for one in worst:
        key = (one.rule, one.message)
        same = Place(one.place.path, one.place.line, note="the same")
        first = out.get(key)
        alike = first is not None and first.place.path != one.place.path
        if first is not None and alike:
            out[key] = replace(first, also=(*first.also, same))
        else:
            out[key if first is None else (one.rule, f"{one.message}{one.place}")] = one
    return tuple(out.values())


def report(
    project: ProjectFiles,
    found: Sequence[Diagnosis],
    extra: dict[str, Any],
    closed: Mapping[str, str],
) -> Findings:
    """Return the findings for a reporter. `closed` is what could not be read, and why."""
    findings = tuple(one.finding for one in found)
    return Findings(
        "doctor", str(project.root), findings,
        {"checked": project.checked, "unread": dict(closed), **extra},
        summary(findings, len(project.checked), len(closed)),
    )  # fmt: skip


def summary(findings: Sequence[Finding], files: int, closed: int = 0) -> str:
    """Return the last line of a text report."""
    seen = f"{files} file{'' if files == 1 else 's'}"
    seen += f"; {closed} could not be read" if closed else ""
    if not findings:
        return f"nothing wrong in {seen}"
    counts = [
        (sum(one.severity == word for one in findings), word)
        for word in ("error", "warning", "info")
    ]
    said = ", ".join(
        f"{n} {word}{'s' if n > 1 and word != 'info' else ''}" for n, word in counts if n
    )
    fixable = sum(one.fixable for one in findings)
    hint = f"; tidegate doctor --fix can mend {fixable} of them" if fixable else ""
    return f"{said} in {seen}{hint}"
