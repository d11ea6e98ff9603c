"""Where services and databases stand, and the migration alone, through the project's target."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tidegate.contracts.target import Container, Service, Target, Teller
from tidegate.errors import NotReady, TidegateError, UsageProblem
from tidegate.model.words import counted
from tidegate.process import run
from tidegate.workflows.update import holding, insiding, releases, strangers
from tidegate.workflows.update.releases import Entry
from tidegate.workflows.update.state import CUT_OFF, State
from tidegate.workflows.update.verify import look, settle

YOUNG = 60.0  # seconds


def status(target: Target, state: State) -> dict[str, Any]:
    """Return the document of `status`: services, databases, release, and what to do next."""
    target.reach()
    seen = target.containers()
    image = image_of(target, target.backend)
    databases: list[dict[str, Any]] = []
    framework, why, mend = "", "", ""
    if not target.image_id(image):
        why = f"the image {image} is not built yet"
    else:
        try:
            with insiding.knowing(target):
                asked = target.inside(("--format", "json", "status"), target.backend)
                found = insiding.status(asked)
            databases = found["databases"]
            framework = found["project"]["framework"]
        except TidegateError as error:
            why = "; ".join([error.what, *error.meaning.splitlines()[:1]])
            mend = error.next if isinstance(error, UsageProblem) else ""
    advice, well = next_word(target, seen, databases, why, mend.partition("\n")[0])
    known = releases.load(state)
    lost = releases.emptied(known, databases)
    if lost:
        advice = f"tidegate restore BACKUP; or tidegate up, which begins anew    ({lost})"
    cut = state.unfinished()
    if cut and cut[0] in CUT_OFF:
        running = holding.running(target.shared)
        advice = (
            f"tidegate status, when the update has ended    (it is {running.holder})"
            if running
            else f"tidegate up    (an update was cut off {_where(cut[0])})"
        )
        well = False
    elsewhere, is_named = target.stranger()
    if elsewhere and not is_named:
        advice, well = f"{strangers.OWN_NAME}    (this is {target.root})", False
    for database in databases:
        _name_release(database.get("run"), known, seen)
        if database.get("passing"):
            database["why"] = (
                f"{database['where']} lies on no volume with a name: this is of a one-off "
                "container's own file, and the app has another"
            )
    current = releases.current(known, target, seen)
    return {
        "project": {"framework": framework, "root": str(target.root), "name": target.name},
        "release": {"stamp": current.stamp, "revision": current.revision} if current else None,
        "databases": databases,
        "services": [row for one in target.services for row in _rows(target, one, seen)],
        "elsewhere": elsewhere,
        "why": why,
        "well": well,
        "next": advice,
    }


def _where(stage: str) -> str:
    return "while it went back" if stage == "undo" else f"in its stage {stage}"


def history(target: Target, state: State, words: Sequence[str]) -> dict[str, Any]:
    """Return the document of `history`, read in a one-off container; runs name their release."""
    target.reach()
    image = image_of(target, target.migrator)
    if not target.image_id(image):
        raise NotReady(
            f"the image {image} is not built yet", "The ledger is read by the app's own image.",
            "tidegate up; or read it from here: --local",
        )  # fmt: skip
    found = insiding.status(target.inside(("--format", "json", "history", *words)))
    known, seen = releases.load(state), target.containers()
    for one in found["runs"]:
        _name_release(one, known, seen)
    return found


def _name_release(
    one: dict[str, Any] | None, known: Sequence[Entry], seen: Sequence[Container]
) -> None:
    if one is not None:
        release = releases.of_run(known, one, seen)
        one["release"] = release.shown if release else None


def _rows(target: Target, service: Service, seen: Sequence[Container]) -> list[dict[str, Any]]:
    own = [one for one in seen if one.service == service.name]
    if not own:
        state = "not started" if service.active else "on demand"
        return [_row(service.name, state, "", 0, "", "")]
    return [
        _row(service.name, one.state, one.health, one.restarts, one.image,
             target.image_age(one.image))
        for one in own
    ]  # fmt: skip


def _row(
    name: str, state: str, health: str, restarts: int, image: str, made: str
) -> dict[str, Any]:
    return {"name": name, "state": state, "health": health, "restarts": restarts,
            "image": image, "made": made}  # fmt: skip


def next_word(
    target: Target,
    seen: Sequence[Container],
    databases: Sequence[Mapping[str, Any]],
    why: str,
    mend: str = "",
) -> tuple[str, bool]:
    """Return what to type next, and whether everything is well.

    `why` says why the databases were not asked, `mend` what mends that where a new start does not.
    """
    active = [one for one in target.services if one.active]
    if not any(one.up for one in seen):
        return "tidegate up    (nothing runs)", False
    told = _of_schema(databases)
    if told:
        return told, False
    there = {one.service for one in seen}
    # What another service waits for once may be gone: its work is done, or was undone with it.
    missing = [one.name for one in active if not one.once and one.name not in there]
    found = look([one for one in active if one.name in there], seen, _restarts(seen))
    servers = {one.name for one in active if not one.app}
    ended = {one.service for one in seen if one.state == "exited" and not one.exit_code}
    for ill in found.ill:
        if ill.service in servers & ended:  # it was stopped
            return f"tidegate up    ({ill.service} does not run)", False
        return f"tidegate logs {ill.service}    ({ill.service} {ill.what})", False
    made = {one.id for one in seen if one.state == "created"}
    for ill in found.waiting:
        if ill.container in made:
            return f"tidegate up    ({ill.service} was not started)", False
    unreachable = [one for one in databases if one["state"] == "unreachable"]
    if unreachable:
        name = target.database or target.backend
        if name in missing:
            return f"tidegate up    ({name} not started)", False
        return f"tidegate logs {name}    ({unreachable[0]['alias']} can't be reached)", False
    if why:
        return mend or f"tidegate up    ({why.partition('; ')[0]})", False
    behind = [one for one in databases if one["state"] in ("empty", "behind", "diverged")]
    if behind:
        return "tidegate up, or tidegate migrate for the migrations alone", False
    if missing:
        return f"tidegate up    ({', '.join(missing)} not started)", False
    images = {s.name: target.image_id(s.image) for s in active if s.app}
    newer = [c.service for c in seen if c.up and images.get(c.service, c.image) != c.image]
    if newer:
        return f"tidegate up --no-build    ({newer[0]} runs an older image)", True
    fresh = [one for one in seen if one.up and one.restarts and _is_young(one)]
    if fresh:
        name, count = fresh[0].service, counted(fresh[0].restarts, "time")
        return f"tidegate logs {name}    ({name} crashed, {count} so far, and runs again)", True
    return "nothing to do", True


def _of_schema(databases: Sequence[Mapping[str, Any]]) -> str:
    """Return what to do about a schema that no start of a container brings further."""
    for one in databases:
        if one.get("half"):
            return (f"correct it, then: tidegate up    ({one['half'][0]} is half applied; the ways "
                    "back: tidegate rollback --plan)")  # fmt: skip
        if one.get("held"):
            return ("tidegate rollback    (runs the release before; to apply the steps all the "
                    f"same: tidegate migrate; {one['held']})")  # fmt: skip
    return ""


def _is_young(one: Container) -> bool:
    """Whether a container began to run a moment ago, by this machine's clock."""
    try:
        began = datetime.fromisoformat(re.sub(r"\.\d+", "", one.started))
        return (datetime.now(UTC) - began).total_seconds() < YOUNG
    except (TypeError, ValueError):
        return False


def _restarts(seen: Sequence[Container]) -> dict[str, int]:
    return {one.id: one.restarts for one in seen}


def image_of(target: Target, service: str) -> str:
    """Return the reference of a service's image."""
    return next((one.image for one in target.services if one.name == service), "")


def prepared(target: Target, service: str, tell: Teller, line: Any = None) -> None:
    """Make sure that a one-off container of `service` can start: its image, and what it needs."""
    target.reach()
    strangers.refuse(target, tell)
    one = next(each for each in target.services if each.name == service)
    stale = _stale(target, one)
    if one.built and stale:
        tell.stage("build", service, f"the image {one.image} {stale}")
        done = run(target.building([service]), 3600, line=line, apart=True)
        if not done.ok:
            raise NotReady("the build failed", "\n".join(done.err.splitlines()[-8:]))
    needed = needs(target, service)
    running = {each.service for each in target.containers() if each.up}
    absent = [each.name for each in needed if each.name not in running]
    if not absent:
        return
    tell.stage("start", "", f"{', '.join(absent)}: not running, and needed")
    for command in target.starting(absent):
        done = run(command, 600, apart=True)
        if not done.ok:
            raise NotReady(f"{absent[0]} can't be started", "\n".join(done.err.splitlines()[-5:]))
    timeout = target.number("timeout")
    restarts = _restarts(target.containers())
    ill = settle(target.containers, needed, restarts, 0, timeout, _ignored, patient=True)
    if ill:
        raise NotReady(f"{ill[0].service} {ill[0].what}", "", f"tidegate logs {ill[0].service}")


def _stale(target: Target, service: Service) -> str:
    """Return why a service's image has to be built before its code can be run."""
    if not target.image_id(service.image):
        return "is not built yet"
    backend = image_of(target, target.backend)
    if service.name == target.backend or service.image == backend:
        return ""
    older = target.image_age(service.image) < target.image_age(backend)
    return f"is older than that of {target.backend}" if older else ""


def _ignored(ill: object) -> None:
    """Nobody is told of what is only not ready yet."""


def needs(target: Target, service: str) -> list[Service]:
    """Return the services that one needs, directly or not, and that hold no code of the app.

    The database is needed whether the files say so or not: without it a migration waits in vain.
    """
    by_name = {one.name: one for one in target.services}
    found: set[str] = set()
    waiting = list(by_name[service].needs)
    if target.database in by_name and by_name[target.database].active:
        waiting.append(target.database)
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found.add(name)
            waiting += by_name[name].needs
    return [one for one in target.services if one.name in found and not one.app and not one.once]
