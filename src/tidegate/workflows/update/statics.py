"""Static files in a volume: those of the release that runs, before it starts, there and back.

An image whose entrypoint is `tidegate boot` does it by itself, and finds nothing left to do. The
others would serve the files of another release: a volume keeps what it has.
"""

from __future__ import annotations

from tidegate.errors import TidegateError
from tidegate.workflows.update import insiding
from tidegate.workflows.update.updating import Update

WORDS = ("--format", "jsonl", "collectstatic", "--volume")


def collect(one: Update) -> None:
    """Collect the new image's files. Undone by `back`."""
    command = one.target.inside(WORDS, one.target.backend)
    if one.dry:
        if (one.target.root / one.target.source / "manage.py").is_file():
            one.show(command.shown())
        return
    if not one.static:
        return
    with one.stage("static"):
        one.collected = True
        insiding.work(
            command, one.target.number("migrate_timeout"), one.tell,
            lambda: insiding.end_leftovers(one.target, one.tell),
        )  # fmt: skip


def changed(one: Update) -> bool:
    """Whether the volume may hold the new files: of this update, or of one that was cut off."""
    asked = bool(one.levels)
    return one.collected and (bool(one.static) or not asked)


def back(one: Update, configuration: str) -> None:
    """Collect with the image that runs again, in its configuration; a failure is said aloud."""
    command = one.target.inside(WORDS, one.target.backend, configuration=configuration)
    try:
        insiding.work(command, one.target.number("migrate_timeout"), one.tell, lambda: None)
    except TidegateError as error:
        why = " ".join([error.what, *error.meaning.splitlines()[:1]])
        one.tell.warn(f"the static files may still be those of the other release: {why}")
