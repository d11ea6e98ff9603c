"""The schema on the way back: by the image that knows the steps, in a container of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tidegate.contracts.target import Target
from tidegate.errors import PolicyRefused, TidegateError
from tidegate.model.command import Command
from tidegate.model.words import counted
from tidegate.workflows.update import insiding
from tidegate.workflows.update.updating import Update


def safely(one: Update) -> str:
    """Undo what the failed update has applied if nothing is lost by it; return what was done.

    The steps are those of the new image, which no container runs any more.
    """
    steps = ", ".join(one.migrated[:3]) + (" and more" if len(one.migrated) > 3 else "")
    stays = f"The schema stays raised by {counted(len(one.migrated), 'step')} ({steps}): "
    serves = "\nThe previous release runs on the newer schema."
    known = {alias: before for alias, (before, after) in one.levels.items() if before != after}
    if not all(known.values()):
        return f"{stays}it is not known where it stood before.{serves}"
    configuration = with_image(one, _failed(one))
    try:
        for alias, level in known.items():
            words = ("--databases", alias, "--level", level, "--safe")
            run(one, words, configuration)
    except PolicyRefused as error:
        why = "\n".join([f"{error.what}.", *error.meaning.splitlines()[:4]])
        return f"{stays}{why}{serves}\nThe ways back: tidegate rollback --plan"
    except TidegateError as error:
        return f"{stays}taking them back failed: {error.what}{serves}"
    one.lowered = list(reversed(one.migrated))
    return f"The schema is lowered again ({steps} undone): nothing was lost by it."


def run(one: Update, words: Sequence[str], configuration: str = "") -> None:
    """Run a rollback of the inside and tell its stages."""
    command = _inside(one, ("--format", "jsonl", "rollback", *words), configuration)

    def stop() -> None:
        insiding.end_leftovers(one.target, one.tell)

    if one.share:
        insiding.talk(command, one.tell, stop, one.share)
    else:
        insiding.work(command, one.target.number("migrate_timeout"), one.tell, stop)


def _inside(one: Update, words: Sequence[str], configuration: str) -> Command:
    mounts = one.share.mounts if one.share else {}
    environ = one.share.variables if one.share else ()
    return one.target.inside(words, mounts=mounts, configuration=configuration, environ=environ)


def planned(one: Update, words: Sequence[str], configuration: str = "") -> dict[str, Any]:
    """Return what the inside plans."""
    argv = ("--format", "json", "rollback", "--plan", *words)
    found = insiding.status(_inside(one, argv, configuration))
    raw: dict[str, Any] = found["rollback"]
    return raw


def _failed(one: Update) -> str:
    """Return the name of the new image, where it had to give its own name back."""
    reference = image_of(one.target)
    kept = one.before.moved.get(reference, "")
    service = kept.rpartition(":")[2].rpartition("-")[0]
    name = one.target.keeping(service, "failed") if service else ""
    return name if name and one.target.image_id(name) else ""


def image_of(target: Target) -> str:
    """Return the reference of the image that migrates."""
    return next((one.image for one in target.services if one.name == target.migrator), "")


def with_image(one: Update, image: str) -> str:
    """Return the path of a configuration in which the migrating service has another image."""
    if not image:
        return ""
    config = json.loads(one.target.configuration())
    service = config.get("services", {}).get(one.target.migrator)
    if service is None:
        return ""
    service["image"] = image
    service.pop("build", None)
    return one.state.other("other-image", json.dumps(config))
