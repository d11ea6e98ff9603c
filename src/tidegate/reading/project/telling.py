"""Command lines followed to the commands that they run: wrappers, shells, scripts, heredocs."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from tidegate.model.finding import Place
from tidegate.reading.project import branches, shell, sourcing, words
from tidegate.reading.project.acts import Act, ScriptUse
from tidegate.reading.project.variables import Variables

Find = Callable[[str], tuple[str, str] | None]  # path in the container → project's path and text


class Teller:
    """Follows command lines through scripts and shells. `heredocs` are scripts of a Dockerfile."""

    def __init__(self, find: Find, workdir: str, known: Variables) -> None:
        self.find, self.workdir, self.known = find, workdir, known
        self.heredocs: dict[str, tuple[Place, str]] = {}
        self.caller = ("", "")  # the text around the command that is followed, and its path
        self.shells = 0
        self.places: dict[str, Place] = {}
        self.scripts: list[ScriptUse] = []

    def tell(
        self,
        argv: tuple[str, ...],
        place: Place,
        command: tuple[str, ...],
        command_place: Place,
        depth: int = 0,
    ) -> Iterator[Act]:
        """Follow one argv to the commands that it runs."""
        rest = words.unwrapped(argv)
        if not rest or depth > 8:
            return
        locked = words.gated(argv)
        inner = words.behind_wrapper(rest)
        if inner:
            yield Act(
                shell.Command(rest[: len(rest) - len(inner)], place.line), place, locked=locked
            )
            where = command_place if inner == command else place
            for act in self.tell(inner, where, command, command_place, depth + 1):
                yield replace(act, locked=act.locked or locked)
            return
        if words.name_of(rest[0]) in shell.SHELLS:
            yield from self.by_shell(rest, place, command, command_place, depth)
            return
        written = self.heredocs.get(posixpath.join(self.workdir, rest[0]))
        if written is not None and _followed(written[1]):
            parsed = shell.parse(written[1])
            yield from self.commands(
                parsed, written[0], "", rest[1:], command, command_place, depth, "script"
            )
            return
        found = self.script(rest[0])
        if found is not None and words.name_of(rest[0]) in words.WAIT_FOR_IT:
            use = ScriptUse(found[0], found[2], shell.parse(found[1]), False, rest[1:], place)
            self.scripts.append(use)  # known by its name: what it does inside is no story
        elif found is not None and not found[0].endswith(".py"):
            yield from self.in_script(found, rest, place, command, command_place, depth, False)
            return
        yield Act(shell.Command(rest, place.line), place, locked=locked)

    def by_shell(
        self,
        rest: tuple[str, ...],
        place: Place,
        command: tuple[str, ...],
        command_place: Place,
        depth: int,
    ) -> Iterator[Act]:
        """Follow `sh -c TEXT` and `sh SCRIPT`."""
        options = "".join(
            one[1:] for one in rest[1:] if one.startswith("-") and not one.startswith("--")
        )
        tail = [index for index, one in enumerate(rest) if index and not one.startswith(("-", "+"))]
        if not tail:
            return
        at = tail[0]
        if "o" in options and at + 1 < len(rest) and rest[at] in ("pipefail", "errexit", "nounset"):
            at += 1
        if "c" in options:
            where = (
                command_place if command and rest[at] in (*command, " ".join(command)) else place
            )
            where = self.places.get(rest[at], where)
            parsed = shell.parse(rest[at], errexit="e" in options.replace("pipefail", ""))
            arguments = rest[at + 1 :]
            yield from self.commands(parsed, where, "", arguments, command, command_place, depth,
                                     words.name_of(rest[0]))  # fmt: skip
            return
        found = self.script(rest[at])
        if found is not None:
            yield from self.in_script(found, rest[at:], place, command, command_place, depth, True)
        else:
            yield Act(shell.Command(rest, place.line), place)

    def script(self, word: str) -> tuple[str, str, str] | None:
        """Return the file that a word runs: its path, its text, its path in the container."""
        if "/" not in word and not word.endswith(".sh"):
            target = posixpath.join("/usr/local/bin", word)
            found = self.find(target) or self.find(posixpath.join("/usr/bin", word))
            return (found[0], found[1], target) if found is not None else None
        for target in self.reader.candidates(word, *self.caller):
            found = self.find(target)
            if found is not None:
                return found[0], found[1], target
        return None

    @property
    def reader(self) -> sourcing.Reader:
        """Where the files are that a script names from where it stands now."""
        return sourcing.Reader(self.find, self.workdir, self.known.values)

    def in_script(
        self, found: tuple[str, str, str], rest: tuple[str, ...], place: Place,
        command: tuple[str, ...], command_place: Place, depth: int, by_shell: bool,
    ) -> Iterator[Act]:  # fmt: skip
        """Follow a script of the project."""
        path, text, target = found
        first = text.split("\n", 1)[0]
        if first.startswith("#!") and "python" in first:
            yield Act(shell.Command(rest, place.line), place, path)
            return
        parsed = shell.parse(text)
        if any(use.path == path for use in self.scripts) and depth > 3:
            return
        direct = not by_shell and self.shells == 0
        self.scripts.append(ScriptUse(path, target, parsed, by_shell, rest[1:], place, direct))
        outer, self.caller = (self.caller, self.workdir), (text, target)
        yield from self.commands(
            parsed, Place(path), path, rest[1:], command, command_place, depth, ""
        )
        self.caller, self.workdir = outer

    def commands(
        self, parsed: shell.Script, where: Place, script: str, arguments: tuple[str, ...],
        command: tuple[str, ...], command_place: Place, depth: int, through: str,
    ) -> Iterator[Act]:  # fmt: skip
        """Yield what the commands of a script run, those of what it sources among them."""
        self.shells += 1
        joined = self.reader.joined(parsed, self.caller[1])
        own = script
        for each in joined.sourced:
            called = Place(where.path, each.line if own else where.line + each.line - 1)
            use = ScriptUse(each.path, each.target, each.parsed, True, (), called, sourced=True)
            self.scripts.append(use)
        value = partial(self.known.value, joined.text, arguments)
        for one in joined.script.flat():
            if not branches.possible(one.given, value):
                continue
            if branches.sure(one.given, value):
                inside = tuple(each for each in one.inside if each not in ("if", "else", "case"))
                one = replace(one, inside=inside)
            script = one.path or own
            line = one.line if script else where.line + one.line - 1
            place = Place(one.path or where.path, line)
            path, at = one.called
            caught = Place(path or where.path, at if path or own else where.line + at - 1)
            self.moved(one, joined.text)
            expanded = _with_arguments(one.bare.words, arguments)
            passes = any(word in ("$@", "$*") for word in one.bare.words)
            locked = words.gated(one.words)
            target = command_place if passes and command else place
            for act in self.tell(expanded, target, command, command_place, depth + 1):
                deeper = act.command.inside or act.script != script
                mine = act
                if not (deeper and act.script):
                    shell_name = through or "script"
                    run = _as_run(act, one)
                    handed = place if passes and command else act.handed
                    mine = replace(
                        act, command=run, script=script, through_shell=shell_name, handed=handed
                    )
                if one.inside and mine is act:
                    mine = replace(
                        act, command=replace(act.command, inside=one.inside + act.command.inside)
                    )
                if one.after_failure and mine is act:
                    mine = replace(
                        mine, command=replace(mine.command, after_failure=one.after_failure)
                    )
                if mine is act and act.script and _goes_on(one) and not act.loose:
                    mine = replace(mine, loose=place)
                if at and not mine.caught:
                    mine = replace(mine, caught=caught)
                yield replace(mine, locked=mine.locked or locked)

    def moved(self, one: shell.Command, text: str) -> None:
        """Follow a plain `cd`: what comes behind it is found from there."""
        if one.name == "cd" and one.always and len(one.words) == 2 and not one.piped:
            found = self.reader.candidates(one.words[1], text, self.caller[1])
            self.workdir = found[0] if found else self.workdir


def _goes_on(one: shell.Command) -> bool:
    """Whether a shell runs its next command whatever this one said."""
    asked = {"condition", "until", "loop", "&"} & set(one.inside)
    return not (one.errexit or one.replaces or one.after_failure or one.then == "&&" or asked)


def _followed(text: str) -> bool:
    """Whether a script that the Dockerfile holds is a shell's, and takes no signals itself."""
    return "trap " not in text and "python" not in text.split("\n", 1)[0]


def _as_run(act: Act, one: shell.Command) -> shell.Command:
    """The words as they run, with everything else as the script says it."""
    inner, whole = act.command.words, one.bare.words
    written = whole if whole != inner and whole[-len(inner) :] == inner else ()
    return replace(one, words=("exec", *inner) if one.replaces else inner, written=written)


def _with_arguments(given: tuple[str, ...], arguments: tuple[str, ...]) -> tuple[str, ...]:
    out: list[str] = []
    for word in given:
        if word in ("$@", "$*", "${@}"):
            out.extend(arguments)
        elif word in ("${@:2}",):
            out.extend(arguments[1:])
        else:
            out.append(word)
    return tuple(out)
