"""Before an update touches anything: what the migration needs runs, and the new image is asked what
it would migrate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.contracts.target import Service
from tidegate.errors import NotReady, PolicyRefused
from tidegate.model.words import counted
from tidegate.workflows.update import insiding, releases
from tidegate.workflows.update.differing import differs
from tidegate.workflows.update.keptinside import refused
from tidegate.workflows.update.standing import needs
from tidegate.workflows.update.updating import Update, settled, unwell
from tidegate.workflows.update.verify import Ill, look

JUST_STARTED = 1.5  # seconds
ITSELF = re.compile(r"@(localhost|127\.0\.0\.1|\[?::1\]?):")


def provide(one: Update) -> None:
    """Start what the migration needs and what does not run; nothing is replaced."""
    needed = _needed(one)
    up_now = {each.service for each in one.seen() if each.up}
    absent = [service.name for service in needed if service.name not in up_now]
    if absent:
        with one.stage("start"):
            one.tell.stage("start", "", f"{', '.join(absent)}: not running, and needed to migrate")
            for command in one.target.starting(absent):
                one.must(command, f"{absent[0]} can't be started")
            one.started += absent
    # A server that can't use its volume runs for a moment: what was just started is watched.
    if not one.dry:
        _refuse_unwell(one, settled(one, needed, JUST_STARTED if absent else 0, patient=True))


def _needed(one: Update) -> list[Service]:
    names = {each.name for start in (one.target.migrator, one.target.backend)
             for each in needs(one.target, start)}  # fmt: skip
    return [each for each in one.target.services if each.name in names]


def _refuse_unwell(one: Update, ill: Sequence[Ill]) -> None:
    if ill:
        found = unwell(one, ill, "what the migration needs does not run")
        raise NotReady(found.what, found.meaning, found.next)


def without(one: Update, error: NotReady) -> NotReady:
    """Return the error with what is seen of a server that the migration lost on its way."""
    ill = look(_needed(one), one.seen(), one.restarts).ill
    if not ill:
        return error
    found = unwell(one, ill, error.what)
    advice = "tidegate up again: it starts what the migration needs, and goes on with the steps"
    return NotReady(found.what, f"{error.meaning}\n{found.meaning}".strip(), advice)


def ask(one: Update) -> list[str]:
    """Ask the new image what it would migrate; nothing has been stopped yet."""
    command = one.target.inside(("--format", "json", "status"))
    if one.dry:
        one.show(command.shown())
        return ["what the command above lists as pending"]
    with one.stage("status"), insiding.knowing(one.target):
        found = insiding.status(command)
        if any(database["state"] == "unreachable" for database in found["databases"]):
            _wait_for_databases(one)
            found = insiding.status(command)
    one.static = str(found.get("project", {}).get("static", ""))
    lost = releases.emptied(releases.load(one.state), found["databases"])
    if lost:
        one.tell.warn(
            f"{lost}: this begins anew. Where its data were lost: tidegate restore BACKUP"
        )
    pending: list[str] = []
    for database in found["databases"]:
        refuse_unreachable(database)
        if database.get("passing"):
            _refuse_to_replace(one, database)
            continue
        listed = database["pending"]
        one.levels[database["alias"]] = _levels(database)
        pending += listed
        text = f"{database['state']}, {counted(database['applied'], 'step')} applied"
        if listed:
            text += f", {len(listed)} to apply: {', '.join(listed[:5])}"
            text += f" and {len(listed) - 5} more" if len(listed) > 5 else ""
        one.tell.stage("status", database["alias"], text, one.seconds["status"])
        if database["unknown"]:
            one.tell.warn(
                f"{database['alias']} has steps that the new image does not know: "
                f"{', '.join(database['unknown'][:5])}; it may be older than what ran before"
            )
    return pending


def _refuse_to_replace(one: Update, database: Mapping[str, Any]) -> None:
    """A database in the container itself goes with it: refuse, or say that there is none yet."""
    backend, alias, where = one.target.backend, database["alias"], database["where"]
    service = next(each for each in one.target.services if each.name == backend)
    old = [each for each in one.seen() if each.service == backend]
    is_lost = database["passing"] == "layer"
    if is_lost and old and differs(one, service, old, one.target.digests().get(backend, "")):
        raise refused(backend, old, database, "tidegate up")
    one.tell.warn(
        f"{alias} is a SQLite file on no volume with a name ({where}): a one-off container has "
        "another one, so nothing is migrated here. Give its folder a volume with a name."
    )


def _levels(database: Mapping[str, Any]) -> tuple[str, str]:
    """Return the level as it is and as it will be; of unknown steps no image can tell it."""
    if database["unknown"]:
        return "", ""
    before = ",".join(database.get("level", ())) or "zero"
    return before, ",".join(database.get("heads", ())) or "zero"


def _wait_for_databases(one: Update) -> None:
    """The inside's own wait knows what will come and what never will, and says which."""
    timeout = one.target.number("timeout")
    words = ("--format", "jsonl", "wait", "--timeout", f"{timeout:g}")
    try:
        insiding.work(
            one.target.inside(words), timeout + 60, one.tell,
            lambda: insiding.end_leftovers(one.target, one.tell),
        )  # fmt: skip
    except NotReady as error:
        _refuse_unwell(one, look(_needed(one), one.seen(), one.restarts).ill)
        raise itself(one, error) from None


def itself(one: Update, error: NotReady) -> NotReady:
    """Return the error with what localhost is in a container, where that was asked for."""
    found = ITSELF.search(error.what)
    if not found:
        return error
    name = one.target.database or "the database's service"
    return NotReady(
        error.what,
        f"In a container {found[1]} is the container itself, and no database runs in "
        f"{one.target.migrator}.",
        f"name {name} as the host in what the app's settings read (an env file, `environment`)",
    )


def refuse_unreachable(database: Mapping[str, Any]) -> None:
    """Raise NotReady for a database that can't be reached, and PolicyRefused for missing files."""
    if database["state"] == "unreachable":
        raise NotReady(
            f"database {database['alias']} can't be reached from the new image",
            str(database["why"]),
            "see `tidegate status` and `tidegate logs`",
        )
    if database.get("missing"):
        raise PolicyRefused(
            f"steps need others that the image does not hold: {', '.join(database['missing'])}",
            "A migration file is missing in the build (.dockerignore, a file not committed).",
            "add it, then run this again",
        )
