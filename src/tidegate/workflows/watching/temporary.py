"""The temporary steps: files that carry our mark on their first line, and what it says.

The mark holds the digest of the rest and the answers that were given, so that whoever folds them
later, in another process, knows what was renamed and whether somebody has written in them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.errors import PolicyRefused
from tidegate.reading.migrations.record import TEMPORARY
from tidegate.workflows.make import Making, migration_files
from tidegate.workflows.watching import aside

MARK = f"{TEMPORARY} folds it into one. "
REVISION = re.compile(r"^revision\b[^=\n]*=\s*[\"']([^\"']+)", re.M)
BELOW = re.compile(r"^down_revision\b[^=\n]*=\s*[\"']([^\"']+)", re.M)
Answers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Temporary:
    """One temporary step. `id` is what the framework calls it."""

    path: Path
    id: str
    below: str
    answers: Answers
    edited: bool

    @property
    def digest(self) -> str:
        """The digest of the whole file, as the ledger has it; also while it is aside."""
        path = self.path if self.path.exists() else aside.name(self.path)
        return hashlib.sha256(path.read_bytes()).hexdigest()


def mark(path: Path, answers: Answers) -> None:
    """Put our mark on a file that was just made."""
    text = path.read_text(encoding="utf-8")
    said = json.dumps({"digest": _digest(text), **answers})
    path.write_text(f"{MARK}{said}\n{text}", encoding="utf-8")


def found(one: Making) -> list[Temporary]:
    """Return the temporary steps, each after those that it needs; an app's go by their numbers."""
    every = [step for path in sorted(migration_files(one.folder)) if (step := _read(one, path))]
    if one.django:
        return sorted(every, key=lambda step: step.path.stem)
    ordered: list[Temporary] = []
    names = {step.id for step in every}
    while len(ordered) < len(every):
        done = {step.id for step in ordered}
        ready = [s for s in every if s.id not in done and (s.below in done or s.below not in names)]
        if not ready:
            return every
        ordered.append(ready[0])
    return ordered


def _read(one: Making, path: Path) -> Temporary | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
        if not first.startswith(MARK):
            return None
        text = file.read()
    try:
        said = json.loads(first.removeprefix(MARK))
    except ValueError:
        said = {}
    edited = said.pop("digest", "") != _digest(text)
    if one.django:
        return Temporary(path, f"{path.parent.parent.name}.{path.stem}", "", said, edited)
    revision, below = REVISION.search(text), BELOW.search(text)
    id = revision[1] if revision else path.stem
    return Temporary(path, id, below[1] if below else "", said, edited)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def refuse_unfit(one: Making, steps: Sequence[Temporary]) -> None:
    """Raise where a temporary step was written in, or something else stands on it."""
    edited = [step.path.name for step in steps if step.edited]
    if edited:
        raise PolicyRefused(
            f"{edited[0]} was changed after it was made; nothing was replaced",
            "What was written into it would be lost: one migration in their place is made anew.",
            "keep it: take its first line out, then it is a migration like any other\n"
            "or take the change back",
        )
    own = {step.path for step in steps}
    for path in sorted(migration_files(one.folder) - own):
        text = path.read_text(encoding="utf-8", errors="replace")
        for step in steps:
            name = step.id.partition(".")[2] if one.django else step.id
            if re.search(rf"[\"']{re.escape(name)}[\"']", text):
                raise PolicyRefused(
                    f"{path.name} stands on {step.path.name}; nothing was replaced",
                    "A migration that comes after a temporary one would lose what it needs.",
                    f"fold them first: move {path.name} away, and make it again afterwards",
                )


def answers(steps: Sequence[Temporary]) -> dict[str, Any]:
    """Return the answers of all steps as if they had been given for one.

    What was renamed twice goes from its first name to its last one.
    """
    renames: dict[str, str] = {}
    dropped: list[str] = []
    filled: list[str] = []
    for step in steps:
        for old, new in dict(step.answers.get("renames", {})).items():
            first = next((one for one, name in renames.items() if _same(one, name, old)), old)
            renames[first] = new
        for old in step.answers.get("dropped", ()):
            first = next((one for one, name in renames.items() if _same(one, name, old)), "")
            if first:
                del renames[first]
            dropped.append(first or old)
        filled += step.answers.get("filled", ())
    return {"renames": renames, "dropped": dropped, "filled": filled}


def _same(old: str, new: str, later: str) -> bool:
    """Whether `later` is what `old` was renamed to: both may be named as far as it takes."""
    became = f"{old.rpartition('.')[0]}.{new.rpartition('.')[2]}".lstrip(".")
    short, whole = sorted((became.lower().split("."), later.lower().split(".")), key=len)
    return whole[-len(short) :] == short
