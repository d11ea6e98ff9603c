"""The way back, planned: which steps, by which way, and what is lost by each.

Two ways are known: the steps' own reverse, newest first, and a backup made at exactly the level
that is asked for. The first is taken where it reaches the goal; what it drops is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.container import approving, ways
from tidegate.container.backup import archive, lending, places, receipts, snapshotlist, verbs
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.making import Policy
from tidegate.container.gate import Gate
from tidegate.container.history import read
from tidegate.contracts.database import Session, TableMissing
from tidegate.errors import PolicyRefused, UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.level import ancestors, heads, in_order
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqltext import without_values
from tidegate.model.step import Step
from tidegate.model.undoing import Undo


@dataclass(frozen=True, slots=True)
class Way:
    """One way back: whether it can be gone, why not, and what is lost by it.

    `harmless` when what goes holds nothing: tables without rows, columns without a value.
    """

    name: str
    why_not: str = ""
    loses: tuple[str, ...] = ()
    backup: Backup | None = None
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How one database goes back. `word` names exactly this."""

    alias: str
    goal: str
    steps: tuple[Step, ...]
    remaining: tuple[Step, ...]
    undos: tuple[Undo, ...]
    ways: tuple[Way, ...]
    chosen: Way | None
    word: str = ""
    command: str = "tidegate rollback"

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for machines."""
        return {
            "plan": self.word,
            "database": self.alias,
            "goal": self.goal,
            "steps": [
                {"id": one.step, "reversible": not one.refused, "why": one.refused}
                for one in self.undos
            ],
            "ways": [
                {
                    "way": way.name,
                    "possible": not way.why_not,
                    "why": way.why_not,
                    "loses": list(way.loses),
                    "harmless": way.harmless,
                    "backup": way.backup.shown if way.backup else None,
                }
                for way in self.ways
            ],
            "chosen": self.chosen.name if self.chosen else None,
            "level": list(heads(self.remaining)),
            "next": ways.advice(self),
        }

    def text(self) -> list[str]:
        """Return the plan for people; the last line is what to type."""
        return ways.text(self.as_dict())


@dataclass(slots=True)
class Planning:
    """What a plan is made from."""

    gate: Gate
    connection: Connection
    policy: Policy
    environ: Mapping[str, str]
    to: str = ""
    way: str = ""
    source: str = ""  # the folder of backups that a person named
    level: str = ""  # the last steps of a level, with commas; "zero" is none at all
    steps: list[Step] = field(default_factory=list)


def plan(one: Planning) -> Plan:
    """Read where the database stands, and plan the way back."""
    session = one.gate.database(one.connection).session(5.0)
    try:
        if one.connection.vendor == "postgresql":
            session.query("SET statement_timeout = '20s'")  # counting what goes must end
        verdict = one.gate.level(one.connection, session)
        if verdict.unknown:
            raise PolicyRefused(
                f"{one.connection.alias} has steps that this code does not know: "
                f"{', '.join(verdict.unknown[:5])}",
                "Only the code that has a step can undo it. Nothing was changed.",
                "run the rollback with the newer image, then start the older one",
            )
        one.steps = one.gate.steps(one.connection.alias)
        applied = [step for step in in_order(one.steps) if step.id in verdict.applied]
        wanted, goal = _wanted(one, session, applied)
        undone = _with_dependents(applied, wanted)
        steps = tuple(step for step in reversed(applied) if step.id in undone)
        remaining = tuple(step for step in applied if step.id not in undone)
        undos = tuple(one.gate.project.undoing(one.connection.alias, steps)) if steps else ()
        down = _down(undos, session)
        backup = _by_backup(one, remaining, receipts.places_of(session))
    finally:
        session.close()
    chosen = _choice(one.way, (down, backup))
    asked = {"to": one.to, "level": one.level, "way": one.way, "from": one.source}
    words = [f"--{key} {value}" for key, value in asked.items() if value]
    command = " ".join(["tidegate rollback", *words])
    found = Plan(one.connection.alias, goal, steps, remaining, undos, (down, backup), chosen,
                 command=command)  # fmt: skip
    return _named(one, found)


def _named(one: Planning, found: Plan) -> Plan:
    from dataclasses import replace

    if found.chosen is None:
        return found
    parts = [found.chosen.name, one.connection.shown, one.gate.recorded_digest(found.alias)]
    parts += [f"{step.id} {step.digest}" for step in found.steps]
    if found.chosen.backup:
        parts.append(archive.seal_of(found.chosen.backup))
    return replace(found, word=approving.fingerprint("rollback", *parts))


def _wanted(one: Planning, session: Session, applied: Sequence[Step]) -> tuple[set[str], str]:
    """Return the steps to undo, and the goal in words."""
    ids = {step.id for step in applied}
    if one.level:
        return _beyond(one, ids), f"when its last steps were {one.level}"
    if one.to in ids:
        return _above(applied, one.to), f"when {one.to} was the last"
    known = {step.id for step in one.steps}
    if one.to in known:
        raise UsageProblem(f"{one.to} is not applied", "", "see `tidegate status`")
    runs = [run for run in read(one.gate, one.connection, session).runs if run["steps"]]
    if not one.to:
        last = next((run for run in reversed(runs) if _kept(run, ids)), None)
        if last is None:
            raise UsageProblem(
                "the ledger has no run whose steps are still applied",
                "Without --to a rollback undoes what the last run applied.",
                "name the step that shall be the last with --to STEP",
            )
        return _kept(last, ids), f"before run {last['number'] or last['id'][:8]}"
    at = [n for n, run in enumerate(runs) if _is_named(run, one.to)]
    if not at:
        raise UsageProblem(
            f"{one.to} is no step, run, image or revision on record",
            "",
            "see `tidegate history` and `tidegate status`",
        )
    later = runs[at[-1] + 1 :]
    return set().union(*(_kept(run, ids) for run in later)), f"after run {runs[at[-1]]['number']}"


def _beyond(one: Planning, applied: set[str]) -> set[str]:
    """Return what a level, named by its last steps, does not have."""
    tops = [] if one.level == "zero" else one.level.split(",")
    known = {step.id for step in one.steps}
    lacking = [top for top in tops if top not in known]
    if lacking:
        raise UsageProblem(f"{lacking[0]} is no step of this code", "", "see `tidegate status`")
    stays = set(ancestors(one.steps, tops))
    for step in one.steps:  # a squash and what it replaces are one and the same
        if step.id in stays or (step.replaces and set(step.replaces) <= stays):
            stays.update((step.id, *step.replaces))
    return applied - stays


def _is_named(run: Mapping[str, Any], text: str) -> bool:
    if str(run["number"]) == text or (len(text) > 3 and str(run["id"]).startswith(text)):
        return True
    revision = str(run["revision"] or "")
    return run["image"] == text or (len(text) > 6 and revision.startswith(text))


def _kept(run: Mapping[str, Any], applied: set[str]) -> set[str]:
    return {
        step["step"] for step in run["steps"] if step["state"] == "done" and step["step"] in applied
    }


def _above(applied: Sequence[Step], goal: str) -> set[str]:
    return _with_dependents(applied, {s.id for s in applied if goal in s.needs})


def _with_dependents(applied: Sequence[Step], wanted: set[str]) -> set[str]:
    """Add what needs a step that goes; `applied` is in order."""
    out = set(wanted)
    for step in applied:
        if out.intersection(step.needs):
            out.add(step.id)
    return out


def _down(undos: Sequence[Undo], session: Session) -> Way:
    """The steps' own reverse: possible when each has one."""
    refused = [f"{one.step} can't be undone: {one.refused}" for one in undos if one.refused]
    if refused:
        return Way("down", "; ".join(refused))
    lost: list[str] = []
    harmless = not any(one.hidden for one in undos)
    for one in undos:
        for table, column in (*((table, "") for table in one.tables), *one.columns):
            count = _count(session, table, column)
            harmless = harmless and count == 0
            what = f"column {table}.{column}" if column else f"table {table}"
            lost.append(f"{one.step}: {what} is dropped ({_counted(count, column)})")
        lost += [f"{one.step}: may lose what can't be seen from here: {without_values(text)}"
                 for text in one.hidden]  # fmt: skip
    return Way("down", "", tuple(lost), harmless=harmless)


def _counted(count: int | None, column: str) -> str:
    if count is None:
        return "its rows can't be counted"
    return f"{count} rows" + (" have a value" if column else "")


def _count(session: Session, table: str, column: str = "") -> int | None:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    what = quoted(column) if column else "*"
    try:
        rows = session.query(f"SELECT count({what}) FROM {quoted(table)}")
    except (TableMissing, Transient, Permanent):
        return None
    return int(str(rows[0][0]))


def _by_backup(one: Planning, remaining: Sequence[Step], more: Sequence[str]) -> Way:
    """The newest backup that was made at exactly the level asked for."""
    goal = {step.id for step in remaining}
    alias, policy = one.connection.alias, one.policy
    others = [place for place in more if place != policy.where]
    known = places.found(policy.folder, policy.remote, alias, one.environ)
    known += [
        backup for place in others for backup in receipts.backups_at(place, alias, one.environ)
    ]
    known += lending.offered(one.environ, alias)
    known += snapshotlist.found(one.connection, one.environ)
    for backup in sorted(known, key=lambda one: one.created, reverse=True):
        rows = [_row(one, text) for text in backup.manifest["level"]]
        if set(one.gate.project.recorded_ids(one.steps, rows)) == goal:
            lost = verbs.loses(backup, one.connection, one.environ)
            return Way("backup", "", tuple(lost), backup)
    where = " or ".join([policy.where, *others])
    return Way("backup", f"no backup of that level is in {where}; name its folder with --from DIR")


def _row(one: Planning, text: str) -> tuple[str, ...]:
    return tuple(text.split(".", 1)) if one.gate.project.framework == "django" else (text,)


def _choice(wanted: str, ways: Sequence[Way]) -> Way | None:
    for way in ways:
        if not way.why_not and wanted in ("", way.name):
            return way
    return None
