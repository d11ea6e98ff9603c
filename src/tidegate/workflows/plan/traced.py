"""What a rehearsal told, put in order: events become steps with their statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.model.step import Step
from tidegate.workflows.plan.running import Running
from tidegate.workflows.plan.verbs import takes_rows, verbs

Event = dict[str, Any]
AGAIN = "(again) "  # said of the runs of a statement that were only counted


@dataclass(slots=True)
class StepTrace:
    """One step, as it was rehearsed."""

    id: str
    path: str
    digest: str
    needs: tuple[str, ...] = ()
    statements: list[Event] = field(default_factory=list)
    seconds: float = 0.0
    atomic: bool = True
    applied: bool = False
    broken: list[dict[str, str]] = field(default_factory=list)  # of the running release
    lost: list[str] = field(default_factory=list)  # on the way up
    lost_down: list[str] = field(default_factory=list)
    irreversible: str = ""
    down_seconds: float | None = None
    online: list[Event] = field(default_factory=list)  # statements with the form they run in
    online_why: str = ""  # why there is none, where one was to be had

    def add(self, event: Event) -> None:
        """Take a statement in; one that was sent before, and changes nothing more, is counted."""
        sql = event["sql"].removeprefix(AGAIN)
        for one in reversed(self.statements):
            if (one["sql"], one["line"]) == (sql, event["line"]) and _adds_nothing(event, one):
                one["count"] += event["count"]
                one["seconds"] += event["seconds"]
                one["wal"] += event["wal"]
                one["blind"] = event["blind"] or one["blind"]
                for table, rows in event["written"].items():
                    before = one["written"].get(table, [0, 0, 0])
                    one["written"][table] = [a + b for a, b in zip(before, rows, strict=True)]
                for table, read in event["read"].items():
                    one["read"][table] = one["read"].get(table, 0) + read
                return
        self.statements.append({**event, "sql": sql})

    @property
    def reversible(self) -> bool:
        """Whether the way down was run to its end."""
        return self.down_seconds is not None and not self.irreversible

    there: frozenset[str] = frozenset()  # the tables that the target has

    @property
    def destructive(self) -> bool:
        """Whether the way up takes data away."""
        return bool(self.lost or self.unmet) or any(
            takes_rows(one, self.there) for one in self.statements
        )

    deleting: list[Event] = field(default_factory=list)  # places of its code

    @property
    def unmet(self) -> list[Event]:
        """The places at which its code deletes rows that the rehearsal did not come by.

        Of a step that touches the target's tables: what it does on tables of its own is its own.
        """
        if not any(lock["kind"] == "table" and lock["was"] in self.there
                   for one in self.statements for lock in one["locks"] + one["held"]):  # fmt: skip
            return []
        return [place for place in self.deleting if not any(_met(place, one)
                for one in self.statements)]  # fmt: skip


def _met(place: Event, statement: Event) -> bool:
    """Whether a statement is the one that a place of the code sends."""
    text = " ".join(statement["sql"].split())
    if place["sql"]:
        return str(place["text"])[:60] in text
    here = place["line"] <= statement["line"] <= place["end"] and place["path"] == statement["path"]
    return here and "DELETE" in verbs(text)


def _adds_nothing(event: Event, known: Event) -> bool:
    """Whether a statement locked, read and rewrote nothing that it had not the first time."""
    if event["sql"].startswith(AGAIN):
        return True
    return (
        not (event["locks"] or event["rewrites"] or event["scans"] or event["error"])
        and event["seen"] == known["seen"]
        and event["transaction"] == known["transaction"]
        and all(lock in known["held"] + known["locks"] for lock in event["held"])
    )


@dataclass(slots=True)
class Rehearsed:
    """All that one rehearsal told."""

    steps: list[StepTrace]
    schemas: dict[str, list[str]] = field(default_factory=dict)
    differences: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, Event] = field(default_factory=dict)  # by way: up, down, again
    release_statements: int = 0
    release_from: str = ""
    release_unnamed: list[str] = field(default_factory=list)  # tables that no model names
    running: Running = field(default_factory=Running)
    build_seconds: float = 0.0
    recorded: dict[str, list[list[str]]] = field(default_factory=dict)  # the framework's own rows
    filled: dict[str, int] = field(default_factory=dict)
    not_filled: dict[str, str] = field(default_factory=dict)
    half: list[str] = field(default_factory=list)  # steps that an earlier run has begun
    load: dict[str, Event] = field(default_factory=dict)  # of a reader and a writer
    folded: list[str] = field(default_factory=list)  # parts of a squash that is whole by now
    parents: dict[str, str] = field(default_factory=dict)  # the tables that partitions are of

    def hear(self, event: Event) -> None:
        """Take one event in."""
        kind = event["event"]
        if kind == "statement":
            step = self.step(event["step"])
            if step is not None:
                step.add(event)
        elif kind == "applied":
            self._applied(event)
        elif kind == "taken-back":
            step = self.step(event["step"])
            if step is not None:
                step.down_seconds, step.lost_down = event["seconds"], event["lost"]
        elif kind == "schema":
            self.schemas[event["when"]] = event["lines"]
            if event["when"] == "base":
                there = tables_of(event["lines"])
                for one in self.steps:
                    one.there = there
        elif kind == "recorded":
            self.recorded[event["when"]] = event["rows"]
        elif kind == "load":
            self.load = {who: event[who] for who in ("reader", "writer")}
        elif kind == "folded":
            self.folded = event["steps"]
        elif kind == "deletes":
            step = self.step(event["step"])
            if step is not None:
                step.deleting = event["places"]
        elif kind == "compared":
            self.differences[event["way"]] = event["difference"]
        elif kind == "failed":
            self.failures[event["way"]] = event
        elif kind == "irreversible":
            for id, why in event["steps"].items():
                step = self.step(id)
                if step is not None:
                    step.irreversible = why
        elif kind == "release":
            self.release_statements = event["statements"]
            self.release_from = event["from"]
            self.release_unnamed = event["unnamed"]
        elif kind == "filled":
            self.filled, self.not_filled = event["rows"], event["empty"]
        elif kind == "partitions":
            self.parents = event["of"]
        elif kind == "built":
            self.build_seconds = event["seconds"]

    def _applied(self, event: Event) -> None:
        step = self.step(event["step"])
        if step is None:
            return
        step.seconds, step.atomic, step.applied = event["seconds"], event["atomic"], True
        step.broken, step.lost = event["broken"], event["lost"]

    def step(self, id: str) -> StepTrace | None:
        """Return one step's trace."""
        return next((one for one in self.steps if one.id == id), None)

    @property
    def roundtrip(self) -> tuple[str, str]:
        """Return the contract's word (`same`, `differs`, `skipped`) and why."""
        if "up" in self.failures:
            return "skipped", f"{self.failures['up']['step']} failed on the way up"
        for way, words in (("down", "on the way down"), ("again", "on the second way up")):
            if way in self.failures:
                return "differs", f"{self.failures[way]['step']} failed {words}"
        forbidding = [one.id for one in self.steps if one.irreversible]
        if self.differences.get("down") or self.differences.get("again"):
            return "differs", "the schema is another one after the way down, or after the second up"
        if forbidding:
            return "skipped", f"{', '.join(forbidding)} can't be taken back"
        if self.half:
            begun = f"{', '.join(self.half)} was half applied before"
            return "skipped", f"{begun}, so what the way down should lead to is not known"
        if self.folded:
            parts = ", ".join(self.folded)
            return "skipped", f"{parts} completed a squash, and Django takes that back as a whole"
        if "down" not in self.differences:
            return "skipped", "nothing was rehearsed"
        return "same", ""

    def proved(self, step: StepTrace) -> bool:
        """Whether the way back of a step was run, and left the schema as it had been."""
        return step.reversible and not self.failures and not any(self.differences.values())


def tables_of(lines: Sequence[str]) -> frozenset[str]:
    """Return the tables of a schema, as people write their names."""
    found = (line.partition(":")[0].partition(" ")[2] for line in lines
             if line.startswith("table "))  # fmt: skip
    return frozenset(name.replace('"', "").removeprefix("public.") for name in found)


def traces(pending: list[Step]) -> list[StepTrace]:
    """Return empty traces for the pending steps."""
    return [StepTrace(one.id, one.path, one.digest, one.needs) for one in pending]


def name_losses(rehearsed: Rehearsed) -> None:
    """Name what SQLite's steps take away, by the schemas before and after all of them.

    There a table is made anew for most changes, so no statement shows a dropped column. A loss is
    put down to the steps that drop something of its table; what was renamed is none.
    """
    before, after = ({line.partition(":")[0] for line in rehearsed.schemas.get(way, ())}
                     for way in ("base", "up"))  # fmt: skip
    tables = {line for line in before - after if line.startswith("table ")}
    columns = {line for line in before - after if line.startswith("column ")}
    whole = {line.split(" ", 1)[1] for line in tables}
    columns = {line for line in columns if line.split(" ", 1)[1].partition(".")[0] not in whole}
    for line in sorted(tables | columns) if after else []:
        table, _, column = line.split(" ", 1)[1].partition(".")
        renamed = re.compile(
            rf'RENAME\s+COLUMN\s+"?{re.escape(column)}"?\s' if column
            else rf'ALTER\s+TABLE\s+"?{re.escape(table)}"?\s+RENAME\s+TO', re.IGNORECASE
        )  # fmt: skip
        said = [
            (step, " ; ".join(one["sql"] for one in step.statements)) for step in rehearsed.steps
        ]
        if any(renamed.search(sql) for _, sql in said):
            continue
        guilty = [step for step, sql in said if table in sql and "DROP" in sql.upper()]
        for step in guilty or [one for one in rehearsed.steps if one.applied]:
            if line not in step.lost:
                step.lost.append(line)
