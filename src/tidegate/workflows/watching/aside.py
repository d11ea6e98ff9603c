"""Files that are out of the framework's sight while one migration is made in their place.

A journal beside them says how far that had come, for the process after one that was killed.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ENDING = ".folding"
JOURNAL = ".tidegate-folding.json"
MAKING = ".tidegate-watching.json"


def name(path: Path) -> Path:
    """Return what a file is called while it is aside."""
    return path.with_name(path.name + ENDING)


def move(folder: Path, paths: Sequence[Path]) -> None:
    """Move the files away, and begin the journal."""
    note(folder, (), False)
    for path in paths:
        path.rename(name(path))


def note(folder: Path, created: Sequence[Path], recorded: bool) -> None:
    """Write down what has been created, and whether the database counts it as applied."""
    said = {"created": [str(path.relative_to(folder)) for path in created], "recorded": recorded}
    (folder / JOURNAL).write_text(json.dumps(said), encoding="utf-8")


def settle(folder: Path) -> None:
    """End what was begun, by us or by one that was killed: forwards where the database has the new
    one, and else back to the files that were there."""
    journal = folder / JOURNAL
    if not journal.is_file():
        return
    said = json.loads(journal.read_text(encoding="utf-8"))
    if not said["recorded"]:
        for path in said["created"]:
            (folder / path).unlink(missing_ok=True)
    for path in sorted(folder.rglob(f"*.py{ENDING}")):
        if said["recorded"]:
            path.unlink()
        else:
            path.rename(path.with_name(path.name.removesuffix(ENDING)))
    journal.unlink()


@contextmanager
def begun(folder: Path, files: Iterable[Path], name: str) -> Iterator[None]:
    """While a temporary step is made and not yet agreed to: what was there before it.

    A process that is killed meanwhile leaves a file that nobody has said may be applied.
    """
    journal = folder / MAKING
    known = sorted(str(path.relative_to(folder)) for path in files)
    journal.write_text(json.dumps({"name": name, "known": known}), encoding="utf-8")
    try:
        yield
    finally:
        journal.unlink(missing_ok=True)


def left(folder: Path, files: Iterable[Path]) -> list[Path]:
    """Remove what a killed process had made and nobody had agreed to; return it."""
    journal = folder / MAKING
    if not journal.is_file():
        return []
    said = json.loads(journal.read_text(encoding="utf-8"))
    known = set(said["known"])
    new = [path for path in sorted(files) if str(path.relative_to(folder)) not in known]
    gone = [path for path in new if said["name"] in path.stem]
    for path in gone:
        path.unlink(missing_ok=True)
    journal.unlink()
    return gone


@contextmanager
def unbroken() -> Iterator[None]:
    """Let a Ctrl-C wait: the database and the journal have to say the same."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
