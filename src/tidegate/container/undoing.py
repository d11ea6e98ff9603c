"""The way back, planned: which steps, by which way, and what is lost by each.

Two ways are known: the steps' own reverse, newest first, and a backup made at exactly the level
that is asked for. The first is taken where it reaches the goal; what it drops is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidegate.container import approving, goals, parts, ways
from tidegate.container.backup import (
    archive,
    lending,
    places,
    receipts,
    since,
    snapshotlist,
    verbs,
)
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.making import Policy
from tidegate.container.gate import Gate
from tidegate.container.ledgerlock import reading
from tidegate.contracts.database import Session, TableMissing
from tidegate.databases import pgidentity, pgschema
from tidegate.errors import PolicyRefused
from tidegate.model.connection import Connection
from tidegate.model.level import heads, in_order
from tidegate.model.plan import digest
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqltext import without_values
from tidegate.model.step import Step
from tidegate.model.tenancy import WHY_NOT_DOWN
from tidegate.model.undoing import Undo
from tidegate.model.words import counted


@dataclass(frozen=True, slots=True)
class Way:
    """One way back: whether it can be gone, why not, and what is lost by it.

    `lacks` is what it does not bring back. `harmless` when what goes holds nothing: tables without
    rows, columns without a value.
    """

    name: str
    why_not: str = ""
    loses: tuple[str, ...] = ()
    backup: Backup | None = None
    harmless: bool = False
    lacks: tuple[str, ...] = ()


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
    half: tuple[str, ...] = ()
    """Steps that a failed run has begun and not ended: no reverse of a step takes them back."""
    target: str = ""
    """Which database of which server it is, as a plan of steps says it."""

    def as_dict(self) -> dict[str, Any]:
        """Return the plan for machines."""
        digests = {step.id: step.digest for step in self.steps}
        return {
            "plan": self.word,
            "database": self.alias,
            "target": self.target,
            "goal": self.goal,
            "steps": [
                {
                    "id": one.step,
                    "digest": digests.get(one.step, ""),
                    "reversible": not one.refused,
                    "why": one.refused,
                }
                for one in self.undos
            ],
            "ways": [
                {
                    "way": way.name,
                    "possible": not way.why_not,
                    "why": way.why_not,
                    "loses": list(way.loses),
                    "lacks": list(way.lacks),
                    "harmless": way.harmless,
                    "backup": way.backup.shown if way.backup else None,
                }
                for way in self.ways
            ],
            "chosen": self.chosen.name if self.chosen else None,
            "half": list(self.half),
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
    cluster: str = ""  # which server it is, where that is told
    target: str = ""  # which database of it, as a digest
    steps: list[Step] = field(default_factory=list)


def plan(one: Planning) -> Plan:
    """Read where the database stands, and plan the way back."""
    session = one.gate.database(one.connection).session(5.0)
    try:
        with reading(session, one.connection.vendor):
            return _named(one, _planned(one, session))
    finally:
        session.close()


def _planned(one: Planning, session: Session) -> Plan:
    if one.connection.vendor == "postgresql":
        session.query("SET statement_timeout = '20s'")  # counting what goes must end
        session.query("SET row_security = off")  # what one may not see is no empty table
        one.cluster = pgidentity.cluster(session)
        one.target = digest(pgschema.identity(session.query))
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
    begun = parts.begun(session.query, one.connection.vendor, verdict)
    half = tuple(step for step in begun if not step.startswith(parts.DOWN))
    wanted, goal = goals.wanted(one, session, applied, half)
    undone = goals.with_dependents(applied, wanted)
    steps = tuple(step for step in reversed(applied) if step.id in undone)
    remaining = tuple(step for step in applied if step.id not in undone)
    undos = tuple(one.gate.project.undoing(one.connection.alias, steps)) if steps else ()
    down = _down(undos, session)
    if half and not steps:
        down = Way("down", f"{', '.join(half)} is half applied, and whole steps are undone")
    if one.connection.tenants:
        down = Way("down", WHY_NOT_DOWN)
    backup = _by_backup(one, remaining, receipts.places_of(session))
    asked = {"to": one.to, "level": one.level, "way": one.way, "from": one.source}
    words = [f"--{key} {value}" for key, value in asked.items() if value]
    command = " ".join(["tidegate rollback", *words])
    chosen = _choice(one.way, (down, backup))
    return Plan(one.connection.alias, goal, steps, remaining, undos, (down, backup), chosen,
                command=command, half=half, target=one.target)  # fmt: skip


def _named(one: Planning, found: Plan) -> Plan:
    from dataclasses import replace

    if found.chosen is None:
        return found
    words = [found.chosen.name, one.connection.shown, one.gate.recorded_digest(found.alias)]
    words += [f"{step.id} {step.digest}" for step in found.steps]
    if found.chosen.backup:
        words.append(archive.seal_of(found.chosen.backup))
    return replace(found, word=approving.fingerprint("rollback", *words))


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
    lacks = tuple(f"{one.step}: {taken}" for one in undos for taken in one.gone)
    return Way("down", "", tuple(lost), harmless=harmless, lacks=lacks)


def _counted(count: int | None, column: str) -> str:
    if count is None:
        return "its rows can't be counted"
    more = f" {'has' if count == 1 else 'have'} a value" if column else ""
    return counted(count, "row") + more


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
    """The newest backup of this database that was made at exactly the level asked for.

    One of another database, which a stage and production may keep in one place, is taken only
    from a folder that a person named.
    """
    goal = {step.id for step in remaining}
    alias, policy = one.connection.alias, one.policy
    others = [place for place in more if place != policy.where]
    known = places.found(policy.folder, policy.remote, alias, one.environ)
    known += [
        backup for place in others for backup in receipts.backups_at(place, alias, one.environ)
    ]
    known += lending.offered(one.environ, alias)
    known += snapshotlist.found(one.connection, one.environ)
    name, foreign = one.connection.name, ""
    for backup in sorted(known, key=lambda one: one.created, reverse=True):
        if not one.source and since.of_another(backup.manifest, name, one.cluster):
            foreign = f" (there is one of another database, {backup.manifest['database']})"
            continue
        if backup.manifest.get("half"):
            continue  # it is of that level, and has a part of a step more
        rows = [_row(one, text) for text in backup.manifest["level"]]
        if set(one.gate.project.recorded_ids(one.steps, rows)) == goal:
            lost = verbs.loses(backup, one.connection, one.environ)
            return Way("backup", "", tuple(lost), backup)
    where = " or ".join([policy.where, *others])
    why = f"no backup of that level is in {where}{foreign}; name its folder with --from DIR"
    return Way("backup", why)


def _row(one: Planning, text: str) -> tuple[str, ...]:
    return tuple(text.split(".", 1)) if one.gate.project.framework == "django" else (text,)


def _choice(wanted: str, ways: Sequence[Way]) -> Way | None:
    for way in ways:
        if not way.why_not and wanted in ("", way.name):
            return way
    return None
