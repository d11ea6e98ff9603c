"""The story of a container's start as values: commands with their places, and scripts."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.model.finding import Place
from tidegate.reading.project import shell


@dataclass(frozen=True)
class Act:
    """One command of the story. `script` is the project's file it stands in, if it is one.

    `loose` is where something goes on although the script that holds this command failed.
    `caught` is where a function's caller looks at its failure.
    `main` says that it is the process that stays: nothing of the story comes after it.
    `handed` is where a script runs it as `"$@"`; its own words stand elsewhere.
    """

    command: shell.Command
    place: Place
    script: str = ""
    main: bool = False
    through_shell: str = ""
    locked: bool = False
    handed: Place | None = None
    loose: Place | None = None
    caught: Place | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The command's words without exec."""
        return self.command.bare.words


@dataclass(frozen=True)
class ScriptUse:
    """A script of the project that takes part in the start, and how it is called."""

    path: str  # in the project
    target: str  # in the container
    parsed: shell.Script
    by_shell: bool  # called as an argument of a shell: needs neither mode nor shebang
    arguments: tuple[str, ...]
    place: Place  # where it is called
    direct: bool = False  # the engine, or an init program, executes it
    sourced: bool = False  # a script reads it as lines of its own


@dataclass(frozen=True)
class Start:
    """How a container starts."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    entrypoint_place: Place
    command_place: Place
    shell_form: bool
    acts: tuple[Act, ...]
    scripts: tuple[ScriptUse, ...]
    known: bool

    @property
    def argv(self) -> tuple[str, ...]:
        """What process 1 is started with."""
        return (*self.entrypoint, *self.command)

    def first(self, test: Callable[[tuple[str, ...]], bool]) -> Act | None:
        """Return the first command that passes `test`."""
        return next((act for act in self.acts if test(act.words)), None)

    def does(self, test: Callable[[tuple[str, ...]], bool]) -> bool:
        """Whether a command passes `test`."""
        return self.first(test) is not None


def shown(argv: tuple[str, ...]) -> str:
    """Return a command as people type it."""
    return shlex.join(argv)
