"""Weighs what the review says by what a rehearsal measured: `tidegate check --plan FILE`.

Both use the same rule names. Where the rehearsal ran a step on a copy of the target and knows the
target's sizes, its severity counts: a lock that nobody would notice is for information, one that
lasts is an error. The reason stands beside the finding. A step whose file has changed since, or
that did not run, is judged as if there were no plan.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tidegate.errors import UsageProblem
from tidegate.model.finding import SEVERITIES, Finding, Place
from tidegate.workflows.plan.impact import BLOCKS_WRITES
from tidegate.workflows.plan.judge import KINDS

# What the review calls it, and what the rehearsal, which sees the statements alone, does.
MEASURED = {one.rule: (one.rule,) for one in KINDS if one.rule not in ("table-rewrite",
                                                                      "scan-under-lock")} | {
    "implicit-index": ("index-without-concurrently",),
    "stored-generated-column": ("table-rewrite", "volatile-default-rewrites"),
    "auto-increment-column-rewrites": ("table-rewrite", "volatile-default-rewrites"),
    "schema-and-data-together": ("schema-and-data-together",),
    "work-under-exclusive-lock": ("work-under-exclusive-lock",),
    "several-tables-locked": ("several-tables-locked",),
    "required-column-without-database-default": ("required-column-without-database-default",
                                                 "running-release-breaks"),
    "column-dropped": ("running-release-breaks",),
    "column-renamed": ("running-release-breaks",),
    "table-dropped": ("running-release-breaks",),
    "table-renamed": ("running-release-breaks",),
}  # fmt: skip
BREAKS = ("running-release-breaks", "required-column-without-database-default")


class Rehearsal(NamedTuple):
    """A plan's document, and the steps of it that are still what was rehearsed."""

    document: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]]
    changed: tuple[str, ...] = ()

    @property
    def sized(self) -> bool:
        """Whether the sizes of the target's tables are known."""
        return bool(self.document.get("where"))

    @property
    def released(self) -> bool:
        """Whether statements of the running release were run after each step."""
        release = (self.document.get("rehearsal") or {}).get("release") or {}
        return bool(release.get("statements")) and release.get("from") == "models"

    def said(self, step: str, rules: Sequence[str]) -> list[Mapping[str, Any]]:
        """Return what the rehearsal says of a step by these rules."""
        found = self.document.get("findings", [])
        return [one for one in found if one["step"] == step and one["rule"] in rules]


def read(root: str, path: str) -> Rehearsal:
    """Return the rehearsal that a file holds. Raises UsageProblem where it holds none."""
    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageProblem(
            f"{path} can't be read as a plan: {error}",
            "",
            f"write one: tidegate plan -o {path}",
        ) from None
    if not isinstance(document, dict) or "steps" not in document or "rehearsal" not in document:
        raise UsageProblem(f"{path} is not a plan", "", f"write one: tidegate plan -o {path}")
    steps, changed = {}, []
    for one in document["steps"]:
        file = Path(root, one["path"])
        same = file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == one["digest"]
        if not same:
            changed.append(one["id"])
        elif one["applied"]:
            steps[one["id"]] = one
    return Rehearsal(document, steps, tuple(changed))


def notes(known: Rehearsal, steps: Collection[str]) -> list[str]:
    """Return what is to say of the plan itself."""
    out = [f"{len(known.steps.keys() & set(steps))} by the rehearsal"]
    late = [one for one in known.changed if one in steps]
    if late:
        out.append(f"changed since the rehearsal: {', '.join(late)}")
    if not known.sized:
        out.append("the plan knows no target, so no sizes: tidegate plan --against URL")
    return out


def weighed(findings: Sequence[Finding], known: Rehearsal) -> list[Finding]:
    """Return the findings by what was measured, and what only the rehearsal could see."""
    used: set[int] = set()
    out = [_weighed(one, known, used) for one in findings]
    return [*out, *_only_seen(out, known, used)]


def _weighed(one: Finding, known: Rehearsal, used: set[int]) -> Finding:
    step, rules = known.steps.get(one.step), MEASURED.get(one.rule)
    if step is None or rules is None:
        return one
    said = _about(one, known.said(one.step, rules))
    if said is not None:
        used.add(id(said))
        if not known.sized and said["rule"] not in BREAKS:
            return _noted(one, one.severity, f"rehearsed: {said['message']}")
        return _noted(one, said["severity"], f"measured: {said['message']}")
    reason = _harmless(one, step, known, rules)
    return _noted(one, "info", f"measured: {reason}") if reason else one


def _about(one: Finding, said: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return what the rehearsal says of the same line, else of the same table, else at all."""
    lines = range(one.place.line, max(one.place.end_line, one.place.line) + 1)
    here = [each for each in said if each["line"] in lines]
    tables = [each for each in said if any(
        word.strip(",.:;()") in one.message.replace(".", " ").split()
        for word in each["message"].split() if "_" in word or word.islower()
    )]  # fmt: skip
    found = here or tables or (list(said) if len(said) == 1 else [])
    return max(found, key=lambda each: SEVERITIES.index(each["severity"]), default=None)


def _harmless(one: Finding, step: Mapping[str, Any], known: Rehearsal, rules: Sequence[str]) -> str:
    """Return why a finding is harmless, as measured; "" where that was not seen."""
    if set(rules) & set(BREAKS):
        count = (known.document["rehearsal"].get("release") or {}).get("statements")
        if known.released and step["compatible"]:
            return f"{count} statements of the running release ran after this step, none failed"
        return ""
    if not known.sized:
        return ""
    locked = [each for each in step["statements"]
              if any(lock["mode"] in BLOCKS_WRITES for lock in each["locks"])]  # fmt: skip
    if any(each["seen"] != "hook" for each in step["statements"]):
        return ""
    said = "; ".join(dict.fromkeys(each["impact"] for each in locked if each["impact"]))
    return f"no statement of this step reads or writes rows under its lock ({said or 'no lock'})"


def _noted(one: Finding, severity: str, note: str) -> Finding:
    place = Place(one.place.path, one.place.line, note=note)
    return replace(one, severity=severity, also=(*one.also, place), confidence="high")


def _only_seen(findings: Sequence[Finding], known: Rehearsal, used: set[int]) -> Iterator[Finding]:
    """Yield what the rehearsal says of these steps and the review did not."""
    steps = {one.step for one in findings} | set(known.steps)
    names = {(one.step, one.rule) for one in findings}
    for each in known.document.get("findings", []):
        if id(each) in used or each["severity"] == "info" or each["step"] not in known.steps:
            continue
        if each["step"] not in steps or (each["step"], each["rule"]) in names:
            continue
        place = Place(each["path"], each["line"], 1 if each["line"] else 0)
        note = Place(each["path"], each["line"], note="seen in the rehearsal")
        yield Finding(each["rule"], each["severity"], place, each["message"], each["remedy"],
                      each["step"], confidence=each["confidence"], also=(note,))  # fmt: skip
