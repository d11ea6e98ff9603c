"""The story of `make --watch`: what the models say is made and applied, each time they change.

Nothing that goes wrong with a change ends it: it is said, and the next change is waited for. Only
a signal does, and then each temporary step is either applied or has no file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Teller
from tidegate.errors import PolicyRefused, Stopped, TidegateError
from tidegate.model.words import counted
from tidegate.workflows.make import Making, Wanted, migration_files, remove, written
from tidegate.workflows.making import inside
from tidegate.workflows.update.pending import refuse_unreachable
from tidegate.workflows.watching import applying, aside, guard, seeing, temporary

NAME = "watch"  # what the temporary steps are called
MOST = 4
Marks = Sequence[tuple[str, bool]]


@dataclass(slots=True)
class Watching:
    """One watch: where commands run, the answers that were given, what is under way."""

    making: Making
    wanted: Wanted
    under_way: list[Path] = field(default_factory=list)
    own: set[str] = field(default_factory=set)  # files that we wrote or removed
    failed: bool = True  # whether something is to be said when all is well again

    @property
    def tell(self) -> Teller:
        """Whom to tell."""
        return self.making.tell


def refuse_production(one: Making, marks: Marks, environment: str) -> None:
    """Raise PolicyRefused unless this is, for all that is seen, a development database."""
    guard.refuse([each for each in marks if each[1]], environment, (), NOTHING)
    found = inside.authored(one, {"do": "where"})
    where = "TIDEGATE_PRODUCTION, where the app runs,"
    inner = guard.word(found["environment"].get("TIDEGATE_PRODUCTION", ""), where)
    said = [*marks, *([(where, inner)] if inner is not None else [])]
    services = [each.name for each in one.target.services] if one.target else []
    guard.refuse(said, environment, services, found)


NOTHING: dict[str, Any] = {"environment": {}, "databases": []}


def watch(one: Watching, ready: Callable[[], None] = lambda: None) -> int:
    """Go on until a signal comes; return its number. Raises only before the first look."""
    folder = one.making.folder
    aside.settle(folder)
    for path in aside.left(folder, migration_files(folder)):
        one.tell.stage("undo", path.name, "made by a watch that was killed, and not agreed to")
    try:
        known = dict(seeing.seen(folder))
        _refuse_away(one.making)
        one.tell.stage(NAME, "", f"{counted(len(known), 'file')} of Python; Ctrl-C ends it")
        _look(one, True)
        ready()
        while True:
            _leave_out_ours(one, known)
            now = seeing.wait(folder, known)
            paths = {Path(path) for path in seeing.changed(known, now)}
            known = dict(now)
            if paths & migration_files(folder) or _gone(paths):
                one.making.stands = {}
            _look(one, not one.making.stands)
    except Stopped as stop:
        _settled(one)
        return stop.signum


def _refuse_away(one: Making) -> None:
    for database in one.status()["databases"]:
        refuse_unreachable(database)


def _gone(paths: set[Path]) -> bool:
    return any(not path.exists() for path in paths)


def _leave_out_ours(one: Watching, known: dict[str, tuple[int, int]]) -> None:
    """What we wrote is no change; what the user wrote meanwhile is one."""
    for path in one.own:
        known.pop(path, None)
        if os.path.exists(path):
            said = os.stat(path)
            known[path] = (said.st_mtime_ns, said.st_size)
    one.own.clear()


def _look(one: Watching, migrations: bool) -> None:
    """Bring the database to the files, and the files to the models."""
    try:
        if migrations:
            _catch_up(one)
        _round(one)
    except TidegateError as error:
        one.failed = True
        _say(one, error)


def _catch_up(one: Watching) -> None:
    """Apply what others have brought, such as a `git pull`."""
    making = one.making
    for database in making.status()["databases"]:
        refuse_unreachable(database)
        if database["unknown"]:
            raise PolicyRefused(
                f"database {database['alias']} has steps that have no file here: "
                f"{', '.join(database['unknown'][:5])}",
                "Perhaps another branch is checked out, or a temporary migration was removed.",
                "bring the files back, or take the steps back with them: tidegate rollback",
            )
        if database["pending"]:
            one.tell.stage(NAME, database["alias"], f"{len(database['pending'])} pending: applied")
            applying.migrate(making)


def _round(one: Watching) -> None:
    """Make what the models have more, and apply it."""
    folder = one.making.folder
    with aside.begun(folder, migration_files(folder), NAME):
        created, outcome = written(one.making, one.wanted)
        began = time.monotonic()  # what somebody thought about before is not ours
        one.own |= {str(path) for path in created}
        if not created:
            if one.failed:
                one.tell.stage(NAME, "", "the models, the migrations and the database agree")
            one.failed = False
            return
        one.under_way = created
        meant = [*one.wanted.dropped, *outcome["answers"]["dropped"]]
        _refuse_loss(one, outcome["changes"], meant)
        for path in created:
            temporary.mark(path, outcome["answers"])
    shown = ", ".join(path.name for path in created)
    one.tell.stage("make", shown, _changes(outcome["changes"]))
    try:
        applying.migrate(one.making)
    except TidegateError:
        _settled(one)
        raise
    one.under_way = []
    one.failed = False
    one.tell.stage("migrate", shown, "applied", time.monotonic() - began)


def _refuse_loss(one: Watching, changes: Sequence[str], dropped: Sequence[str]) -> None:
    """A field that is cut to be pasted elsewhere is gone for a moment: its rows must not be.

    What somebody has just said is dropped is not asked about again.
    """
    lost = [each for each in changes if applying.loses(each, dropped)]
    if not lost:
        return
    if one.wanted.ask is not None:
        lines = [f"{each}: its values go" for each in lost]
        if one.wanted.ask(lines, ["apply it", "not now; the next change is looked at again"]) == 0:
            return
    remove(one.under_way)
    one.under_way = []
    raise PolicyRefused(
        f"not applied, since it loses data: {', '.join(lost)}",
        "No file was made. The next change is looked at again.",
        "say it at the start: tidegate make --watch"
        + "".join(f" --drop {applying.lost(each)}" for each in lost),
    )


def _settled(one: Watching) -> None:
    """Remove the files of what was made and is not applied; the database says what is."""
    if not one.under_way:
        return
    making = one.making
    making.stands = {}
    pending = {id for each in making.status()["databases"] for id in each["pending"]}
    left = [path for path in one.under_way if applying.step_of(making, path) in pending
            or any(id.endswith(f".{path.stem}") for id in pending)]  # fmt: skip
    remove(left)
    making.stands = {}
    one.own |= {str(path) for path in one.under_way}
    for path in left:
        one.tell.stage("undo", path.name, "not applied; its file is removed")
    one.under_way = []


def _changes(words: Sequence[str]) -> str:
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return "; ".join(words[:MOST]) + more


def _say(one: Watching, error: TidegateError) -> None:
    first, *rest = error.lines()
    one.tell.warn(first)
    for line in rest:
        one.tell.stage("", "", line.strip())
    one.tell.stage(NAME, "", "waiting for the next change")
