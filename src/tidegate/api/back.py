"""Backups, the way back, and the record of both, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate.api.work import gate_of, working
from tidegate.container import approving, ways
from tidegate.container import boot as booting
from tidegate.container import history as ledger
from tidegate.container.backup import making, places, verbs
from tidegate.container.backup.mysql import verbs as mysql
from tidegate.container.boot import Boot
from tidegate.container.gate import Gate
from tidegate.container.going_back import go_down, refuse_loss
from tidegate.container.raising import Raising
from tidegate.container.undoing import Plan, Planning
from tidegate.container.undoing import plan as planned
from tidegate.errors import PolicyRefused, UsageProblem


@dataclass(frozen=True, slots=True)
class BackedUp:
    """One proved backup: of which database, where it lies, and its seal."""

    alias: str
    path: str
    bytes: int
    digest: str
    verified: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """One database and its way back, gone or only planned.

    `steps` are those that are undone, the newest first; `level` the last steps that stay. `way` is
    `down` or `backup`, and empty where none is open: `why` says why. `loses` is what goes with it,
    in words; `word` is the approval that it needs when that is not empty.
    """

    alias: str
    steps: tuple[str, ...]
    level: tuple[str, ...]
    way: str
    loses: tuple[str, ...]
    word: str
    why: tuple[str, ...]
    done: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the ledger: who changed what, when, and how it ended."""

    alias: str
    number: int | None
    id: str
    kind: str
    state: str
    started: str
    seconds: float | None
    by: str
    revision: str
    image: str
    steps: tuple[str, ...]
    message: str


def backup(
    root: str | Path = ".",
    *,
    to: str | Path = "",
    databases: Sequence[str] = (),
    timeout: float | None = None,
    framework: str = "",
) -> tuple[BackedUp, ...]:
    """Back each database up, proved by a restore as the settings say, while nobody migrates.

    `to` is the folder or the bucket; without it the settings name one.

    ```python
    (kept,) = tidegate.backup(to="backups")
    print(kept.path, kept.bytes)
    ```
    """
    out = []
    with working(root, databases=databases, timeout=timeout, framework=framework) as one:
        place = str(to) if places.is_remote(str(to)) else str(Path(to).absolute()) if to else ""
        chosen = making.policy(one.root, one.environ, {"dir": place} if place else {})
        gate = gate_of(one)
        theirs = mysql.set_apart(gate)
        booting.wait(one, gate)
        for connection in (*theirs, *gate.connections):
            receipt = (mysql.back_up(gate, connection, chosen, one.deadline, one.report)
                       if connection in theirs else
                       verbs.back_up(_raising(one, gate, connection.alias), chosen))  # fmt: skip
            out.append(BackedUp(connection.alias, str(receipt["path"]), int(receipt["bytes"]),
                                str(receipt["digest"]), str(receipt["verified"])))  # fmt: skip
    return tuple(out)


def rollback(
    root: str | Path = ".",
    *,
    to: str = "",
    way: Literal["", "down", "backup"] = "",
    source: str | Path = "",
    plan: bool = False,
    safe: bool = False,
    approve: str = "",
    databases: Sequence[str] = (),
    timeout: float | None = None,
    lock_timeout: float | None = None,
    framework: str = "",
) -> RolledBack:
    """Undo what the last run applied, or everything after `to`; with `plan` only say how.

    It needs the newer code, which has the steps. What loses data needs the `word` of exactly this
    plan as `approve`, from a person; `safe` refuses instead. Raises PolicyRefused where no way is
    open, or the word is missing. One database at a time.

    ```python
    found = tidegate.rollback(plan=True)
    print(found.way, found.steps, found.loses)
    ```
    """
    with working(root, databases=databases, timeout=timeout, lock_timeout=lock_timeout,
                 framework=framework) as one:  # fmt: skip
        gate = gate_of(one)
        if len(gate.connections) != 1:
            names = [connection.alias for connection in gate.connections]
            raise UsageProblem(f"the project has {len(names)} databases",
                               "One goes back at a time.", f"databases={names[:1]}")  # fmt: skip
        (connection,) = gate.connections
        booting.wait(one, gate)
        folder = str(Path(source).absolute()) if source else ""
        policy = making.policy(gate.root, one.environ, {"dir": folder} if folder else {})
        planning = Planning(gate, connection, policy, one.environ, to, way, folder)
        found = planned(planning)
        if plan or not found.steps:
            return _rolled(found, done=False)
        _go(_raising(one, gate, connection.alias), planning, found, approve, safe)
        return _rolled(found, done=True)


def history(
    root: str | Path = ".",
    *,
    databases: Sequence[str] = (),
    framework: str = "",
) -> tuple[Run, ...]:
    """Return the runs of the ledger, the oldest first.

    ```python
    for run in tidegate.history():
        print(run.number, run.kind, run.state, run.steps)
    ```
    """
    out: list[Run] = []
    with working(root, databases=databases, framework=framework) as one:
        gate = gate_of(one)
        for connection in gate.connections:
            session = gate.database(connection).session(5.0)
            try:
                runs = ledger.read(gate, connection, session).runs
            finally:
                session.close()
            out += [
                Run(connection.alias, raw["number"], raw["id"], raw["kind"], raw["state"],
                    str(raw["started"]), raw["seconds"], raw["by"] or "", raw["revision"] or "",
                    raw["image"] or "", tuple(step["step"] for step in raw["steps"]),
                    raw["message"] or "")
                for raw in runs
            ]  # fmt: skip
    return tuple(out)


def _raising(one: Boot, gate: Gate, alias: str) -> Raising:
    connection = next(each for each in gate.connections if each.alias == alias)
    return Raising(gate, connection, one.settings, one.deadline, one.report, one.signals)


def _go(raising: Raising, planning: Planning, found: Plan, word: str, safe: bool) -> None:
    if safe:
        refuse_loss(found)
    elif found.chosen is None:
        closed = "\n".join(f"{way.name}: {way.why_not}" for way in found.ways if way.why_not)
        raise PolicyRefused(f"there is no way back for {found.alias}", closed, ways.advice(found))
    elif found.chosen.loses:
        _need_word(word, found, planning)
    if found.chosen and found.chosen.backup:
        verbs.bring_back(raising, found.chosen.backup)
    else:
        go_down(raising, planning, found, safe=safe)


def _need_word(word: str, found: Plan, planning: Planning) -> None:
    loses = found.chosen.loses if found.chosen else ()
    try:
        approving.need_word(word, found.word, loses, found.command, planning.environ)
    except PolicyRefused as error:
        by_hand = f"a person may say: tidegate.rollback(approve={found.word!r})"
        raise PolicyRefused(error.what, error.meaning, by_hand) from None


def _rolled(found: Plan, done: bool) -> RolledBack:
    chosen = found.chosen
    return RolledBack(
        found.alias, tuple(step.id for step in found.steps),
        tuple(found.as_dict()["level"]), chosen.name if chosen else "",
        chosen.loses if chosen else (), found.word if chosen and chosen.loses else "",
        tuple(f"{way.name}: {way.why_not}" for way in found.ways if way.why_not), done,
    )  # fmt: skip
