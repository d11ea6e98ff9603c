"""Files that a script sources or calls by a path of its own: `. "$(dirname "$0")/lib.sh"`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate.reading.project import calls, shell, shellwords

Find = Callable[[str], tuple[str, str] | None]
_OWN_FOLDER = re.compile(
    r"^(?P<head>\$\(.*\)|`[^`]*`|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\})(?P<tail>(?:/[^$`]*)?)$"
)
_ITSELF = re.compile(r"\$\{?(0|BASH_SOURCE)\b")
_VARIABLE = re.compile(r"^\$\{?([A-Za-z_]\w*)\}?(?=/|$)")


@dataclass(frozen=True)
class Sourced:
    """A file that a script reads as its own lines, and the line on which it does."""

    path: str
    target: str
    parsed: shell.Script
    line: int


@dataclass(frozen=True)
class Joined:
    """A script with the commands and functions of what it sources; `texts` are all of it."""

    script: shell.Script
    sourced: tuple[Sourced, ...] = ()

    @property
    def text(self) -> str:
        """Every text that the shell reads, the script's own first."""
        return "\n".join((self.script.text, *(one.parsed.text for one in self.sourced)))


@dataclass
class Reader:
    """Where files of the container are found: from a working directory, or beside a script."""

    find: Find
    workdir: str
    known: Mapping[str, str] = field(default_factory=dict)

    def candidates(self, word: str, text: str, target: str) -> list[str]:
        """Return the paths of the container that a word of a script can mean, the likeliest first.

        `target` is the script's own path in the container, empty for a command line.
        """
        word = self._named(word, text)
        here = posixpath.dirname(target)
        own = _OWN_FOLDER.match(word)
        if own is not None and target and _ITSELF.search(own["head"]):
            up = "/.." * own["head"].count("/..")
            return [posixpath.normpath(here + up + (own["tail"] or ""))]
        if "$" in word or "`" in word:
            return []
        found = [posixpath.join(self.workdir, word)]
        found += [posixpath.join(here, word)] if target else []
        return [posixpath.normpath(one) for one in found]

    def _named(self, word: str, text: str, depth: int = 0) -> str:
        """Put the value of a variable at the word's beginning: one that the script sets itself."""
        found = _VARIABLE.match(word)
        if found is None or depth > 3:
            return word
        given = re.findall(rf"^\s*(?:\w+\s+(?:-\w+\s+)?)?{found[1]}=(.+?)\s*$", text, re.M)
        value = shellwords.unquoted(given[0].rstrip(";")) if given else self.known.get(found[1])
        if value is None or len(set(given)) > 1:
            return word
        return self._named(value + word[found.end() :], text, depth + 1)

    def joined(
        self, script: shell.Script, target: str, seen: tuple[str, ...] = (), base: str = ""
    ) -> Joined:
        """Return a script with everything that it sources in the place of the `.`."""
        base = base or target
        libraries: dict[int, tuple[str, Joined]] = {}
        strict: set[int] = set()
        for one in (
            *script.commands,
            *(each for body in script.functions.values() for each in body),
        ):
            found = self._source(one, script.text, base, target) if len(seen) < 8 else None
            if found is None or found[0] in seen:
                continue
            path, text, at = found
            inner = self.joined(shell.parse(text, one.errexit), at, (*seen, path), base)
            libraries[one.start] = (path, inner)
            if inner.script.strict and one.always:
                strict.add(one.start)
            libraries[one.start] = (path, replace(inner, sourced=(
                Sourced(path, at, shell.parse(text, one.errexit), one.line), *inner.sourced
            )))  # fmt: skip
        if not libraries:
            return Joined(script)
        again = shell.parse(script.text, script.errexit, frozenset(strict)) if strict else script
        return _spliced(again, libraries)

    def _source(
        self, one: shell.Command, text: str, base: str, target: str
    ) -> tuple[str, str, str] | None:
        if one.name not in (".", "source") or len(one.words) < 2:
            return None
        paths = [at for each in dict.fromkeys((target, base))
                 for at in self.candidates(one.words[1], text, each)]  # fmt: skip
        for at in paths:
            found = self.find(at)
            if found is not None:
                return found[0], found[1], at
        return None


def _spliced(script: shell.Script, libraries: Mapping[int, tuple[str, Joined]]) -> Joined:
    functions: dict[str, tuple[shell.Command, ...]] = {}
    for path, inner in libraries.values():
        functions |= {
            name: tuple(_from(path, one) for one in body)
            for name, body in inner.script.functions.items()
        }
    functions |= {name: _with_libraries(body, libraries) for name, body in script.functions.items()}
    commands = _with_libraries(script.commands, libraries)
    sourced = tuple(one for _, inner in libraries.values() for one in inner.sourced)
    return Joined(replace(script, commands=commands, functions=functions), sourced)


def _with_libraries(
    commands: Sequence[shell.Command], libraries: Mapping[int, tuple[str, Joined]]
) -> tuple[shell.Command, ...]:
    out: list[shell.Command] = []
    for one in commands:
        if one.start not in libraries or one.name not in (".", "source"):
            out.append(one)
            continue
        path, inner = libraries[one.start]
        out += [calls.placed(one, _from(path, each)) for each in inner.script.commands]
    return tuple(out)


def _from(path: str, one: shell.Command) -> shell.Command:
    return one if one.path else replace(one, path=path)
