"""Shell scripts, parsed: each command with its line, and what happens when it fails."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tidegate.reading.project import calls
from tidegate.reading.project.shellcommand import Command as Command
from tidegate.reading.project.shellwalk import QUIET as QUIET
from tidegate.reading.project.shellwalk import walked

SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")


@dataclass(frozen=True)
class Script:
    """A parsed script. `commands` are in the order of the text, those of functions apart.

    `outside` is the text without the bodies of functions; `strict` says whether `set -e` holds at
    its end.
    """

    text: str
    commands: tuple[Command, ...]
    functions: dict[str, tuple[Command, ...]]
    broken: bool = False
    outside: str = ""
    errexit: bool = False
    strict: bool = False

    @property
    def shebang(self) -> str:
        """The first line, if it names an interpreter."""
        first = self.text.split("\n", 1)[0]
        return first if first.startswith("#!") else ""

    def _speaks(self, name: str) -> bool:
        """Whether a command, or a function of the script, does no more than speak."""
        body = self.functions.get(name)
        return all(one.name in QUIET for one in body) if body else name in QUIET

    def flat(self) -> list[Command]:
        """Return the commands with the calls of the script's own functions followed."""
        return list(self._flat(self.commands, ()))

    def _flat(self, commands: tuple[Command, ...], seen: tuple[str, ...]) -> Iterator[Command]:
        for one in commands:
            if one.fallback and all(map(self._speaks, one.fallback)):
                one = replace(one, only_said=True)
            body = self.functions.get(one.bare.name)
            if body is None or one.bare.name in seen:
                yield one
                continue
            called = calls.inlined(one, body)
            yield from self._flat(tuple(called), (*seen, one.bare.name))


@functools.cache
def _parser() -> Any:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


@functools.lru_cache(maxsize=512)
def parse(text: str, errexit: bool = False, strict_behind: frozenset[int] = frozenset()) -> Script:
    """Parse a script or a line of shell; a shebang such as `#!/bin/sh -e` counts.

    `strict_behind` are the offsets of commands that switch `set -e` on: files that it sources.
    """
    first = text.split("\n", 1)[0]
    if first.startswith("#!"):
        options = "".join(word[1:] for word in first.split()[1:] if word.startswith("-"))
        errexit = errexit or "e" in options
    text = text.replace("\r\n", "\n")
    source = text.encode()
    root = _parser().parse(source).root_node
    walk = walked(root, errexit, strict_behind)
    outside = source
    for begin, end in sorted(walk.bodies, reverse=True):
        outside = outside[:begin] + outside[end:]
    return Script(
        text, tuple(walk.commands), walk.functions, root.has_error,
        outside.decode(errors="replace"), errexit, walk.errexit,
    )  # fmt: skip
