"""The story of `tidegate adopt`: compare, say what was found, record it under the election."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.container import ledger
from tidegate.container.adopting import climbing
from tidegate.container.adopting.matching import Climb, Lines, Match, exactly, furthest
from tidegate.container.holding import elected
from tidegate.container.raising import Raising
from tidegate.container.stepping import book_of, changing, closing
from tidegate.errors import (
    PolicyRefused,
    StateNotCurrent,
    StepFailed,
    UsageProblem,
)
from tidegate.model.level import Verdict, in_order
from tidegate.model.tenancy import refuse_tenants
from tidegate.model.words import counted

MOST = 20  # lines of a difference that an error shows


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found for one database: the match, and what it was made from."""

    alias: str
    match: Match
    found: Lines
    level: str
    failed: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "database": self.alias,
            "adopt": list(self.match.adopted),
            "left": list(self.match.left),
            "unseen": list(self.match.unseen),
            "differences": [
                {"object": one.object, "step": one.step, "lines": list(one.lines)}
                for one in self.match.differences
            ],
            "foreign": list(self.match.foreign),
        }

    def text(self) -> list[str]:
        """Return it for people."""
        lines = [f"{self.alias}: {counted(len(self.match.adopted), 'step')} found to be there"]
        if not self.match.adopted:
            lines = [f"{self.alias}: nothing is there that a pending step would make"]
        for step in self.match.adopted:
            unseen = step in self.match.unseen
            mark = "  changes no schema: what it does to rows was not compared" if unseen else ""
            lines.append(f"  adopt  {step}{mark}")
        lines += [f"  left   {step}" for step in self.match.left]
        if self.match.foreign:
            lines.append(f"  not of any step, and left alone: {', '.join(self.match.foreign[:8])}")
        return lines


def compare(raising: Raising, to: str, url: str) -> Adoption:
    """Compare the database with what its pending steps make on a scratch database."""
    gate, connection = raising.gate, raising.connection
    verdict = gate.standing(connection)
    if verdict.unknown:
        raise PolicyRefused(
            f"{connection.alias} has steps that this code does not know: "
            f"{', '.join(verdict.unknown[:5])}",
            "Only code that has all of them can tell what is missing. Nothing was changed.",
            "run it with the newer image",
        )
    wanted = _step(raising, to, verdict) if to else ""
    refuse_tenants(connection, "adopting compares one", "python manage.py migrate_schemas --fake")
    if not verdict.pending:
        return Adoption(connection.alias, Match(), frozenset(), "")
    found = climbing.schema_of(gate, connection)
    began = time.monotonic()
    number = counted(len(verdict.pending), "pending step")
    raising.report.stage("compare", connection.alias, f"{number}, on a scratch database")
    with climbing.place(gate, connection, url) as where:
        climb, failed = climbing.climb(gate, connection, where, sorted(verdict.applied))
    match = _match(climb, found, wanted)
    seconds = time.monotonic() - began
    raising.report.stage("compare", connection.alias, _outcome(match), seconds)
    return Adoption(connection.alias, match, found, gate.recorded_digest(connection.alias), failed)


def _match(climb: Climb, found: Lines, wanted: str) -> Match:
    if not wanted:
        return furthest(climb, found)
    if wanted not in {step for step, _ in climb.levels}:
        raise UsageProblem(
            f"{wanted} can't be applied on an empty scratch database",
            "What it makes could not be compared with what is there. Nothing was changed.",
            "correct the step, or name one before it",
        )
    return exactly(climb, found, [wanted])


def _outcome(match: Match) -> str:
    if match.differences:
        return f"{counted(len(match.differences), 'object')} differ"
    return f"{counted(len(match.adopted), 'step')} there, {len(match.left)} not"


def _step(raising: Raising, name: str, verdict: Verdict) -> str:
    known = [step.id for step in raising.gate.steps(raising.connection.alias)]
    fitting = [one for one in known if one == name] or [o for o in known if o.startswith(name)]
    if len(fitting) != 1:
        raise UsageProblem(
            f"there is no step {name}" if not fitting else f"{name} means several steps",
            f"Did you mean: {', '.join(fitting[:5])}?" if fitting else "",
            "name it in full; see `tidegate status`",
        )
    if fitting[0] in verdict.applied:
        raise UsageProblem(f"{fitting[0]} is recorded already", "", "see `tidegate status`")
    return fitting[0]


def refuse_differences(found: Adoption) -> None:
    """Raise what says how the database differs; nothing is recorded then."""
    differences = found.match.differences
    if not differences:
        return
    lines: list[str] = []
    for one in differences:
        lines += [f"{one.object}, as {one.step} makes it (-) and as it is (+):", *one.lines]
    more = len(lines) - MOST
    if more > 0:
        lines = [*lines[:MOST], f"and {more} lines more: --format json lists them"]
    if found.failed:
        lines.append(f"the scratch database could not go on after {found.failed}")
    advice = "change the database (or the step) until both are equal, then run this again"
    if found.match.equal:
        advice += f"\nor adopt what is equal: tidegate adopt --to {found.match.equal[-1]}"
    raise StateNotCurrent(
        f"{found.alias} can't be adopted: {counted(len(differences), 'object')} of it "
        "differ from what the steps make",
        "\n".join(["Nothing was recorded.", *lines]),
        advice,
    )


def adopt(raising: Raising, found: Adoption) -> None:
    """Record the steps as applied; what was compared must still be what is there."""
    gate, connection = raising.gate, raising.connection
    with elected(raising) as election:
        verdict = gate.standing(connection)
        same = climbing.schema_of(gate, connection) == found.found
        if not same or gate.recorded_digest(connection.alias) != found.level:
            raise PolicyRefused(
                f"{connection.alias} has changed since it was compared; nothing was recorded",
                "Another process applied steps, or changed the schema, meanwhile.",
                "run it again",
            )
        ordered = in_order(gate.steps(connection.alias))
        steps = [step for step in ordered if step.id in found.match.adopted]
        level = [step for step in ordered if step.id in verdict.applied or step in steps]
        book = book_of(raising, election)
        book.begin(
            " ".join(found.match.adopted)[:2000], "adopt",
            fingerprint=gate.fingerprint(connection.alias, found.match.adopted),
            level_before=gate.recorded_digest(connection.alias),
        )  # fmt: skip
        records: Mapping[str, ledger.Record] = {
            step.id: ledger.Record(step, 0.0, state="adopted") for step in steps
        }
        with closing(raising, book, records):
            quiet = changing(raising, election, None, lambda step: None, lambda step, seconds: None)
            gate.project.record(connection, steps, level, quiet)
    _look_again(raising, found)


def _look_again(raising: Raising, found: Adoption) -> None:
    now = raising.gate.standing(raising.connection)
    lacking = [step for step in found.match.adopted if step not in now.applied]
    if lacking:
        raise StepFailed(
            f"{found.alias} still lacks {len(lacking)} steps after they were recorded",
            f"Pending: {', '.join(lacking[:5])}.",
            "see `tidegate status`",
        )
    left = words(now)
    raising.report.stage(
        "adopt", found.alias, f"{counted(len(found.match.adopted), 'step')} recorded; {left}"
    )


def words(now: Verdict) -> str:
    """Say what is to be done after it."""
    if now.pending:
        return f"{counted(len(now.pending), 'step')} pending: apply them with tidegate migrate"
    return now.state
