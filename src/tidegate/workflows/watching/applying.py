"""A temporary step applied: in the app's container, or here; and what it would lose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tidegate.contracts.target import Teller
from tidegate.workflows.make import Making
from tidegate.workflows.update import insiding
from tidegate.workflows.watching.temporary import REVISION

LOSES = re.compile(r"(?:drop (?:column|table) |\w+: (?:Remove field|Delete model) )(.+)", re.I)
TIMEOUT = 3600.0


class Warnings:
    """A teller that passes on what is not as it should be, and nothing else."""

    def __init__(self, tell: Teller) -> None:
        self._tell = tell

    def stage(
        self, stage: str, subject: str, text: str, seconds: float | None = None, **more: object
    ) -> None:
        """A step of a second's work is told of when it is done."""

    def warn(self, text: str) -> None:
        """Pass it on."""
        self._tell.warn(text)


def migrate(one: Making) -> None:
    """Apply what is pending, by the same election as everybody."""
    words = ("--format", "jsonl", "migrate")
    if one.target is None:
        command = one.inside(*words, "--local")
        insiding.work(command, TIMEOUT, Warnings(one.tell), _nothing)
        return
    target = one.target
    command = target.inside(words, target.backend, mounts=one.mounts, user=one.user)
    insiding.work(command, TIMEOUT, Warnings(one.tell),
                  lambda: insiding.end_leftovers(target, one.tell))  # fmt: skip


def _nothing() -> None:
    """A process of our own is ended by whoever waits for it."""


def loses(change: str, dropped: Sequence[str]) -> bool:
    """Whether a change takes values away that nobody said may go."""
    found = LOSES.match(change)
    if found is None:
        return False
    names = re.findall(r"\w+", found[1].lower())
    return not any(word.lower().split(".")[-1] in names for word in dropped)


def lost(change: str) -> str:
    """Return the name of what a change takes away."""
    found = LOSES.match(change)
    return found[1].split()[0] if found else change


def step_of(one: Making, path: Path) -> str:
    """Return the revision of a file; for Django its number and name, without the app."""
    if one.django or not path.is_file():
        return path.stem
    found = REVISION.search(path.read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else path.stem
