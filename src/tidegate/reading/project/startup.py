"""What a container does from its start to the process that stays, told as a list of commands.

The image's ENTRYPOINT and CMD, Compose's overrides, the scripts they run (looked up through COPY
and mounts to the project's own files) and `sh -c` inside each other are one story.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from tidegate.model.finding import Place
from tidegate.reading.project import branches, shell, sourcing, words
from tidegate.reading.project.acts import Act, ScriptUse, Start
from tidegate.reading.project.image import Image
from tidegate.reading.project.service import Service

Find = Callable[[str], tuple[str, str] | None]  # path in the container → project's path and text


def of(service: Service | None, image: Image | None, find: Find) -> Start:
    """Return the story of a service, or of an image by itself."""
    entry, command, entry_place, command_place, shell_form = _argv(service, image)
    own = service.text("working_dir") if service is not None else ""
    workdir = posixpath.join(image.workdir if image else "/", own)
    teller = _Teller(find, workdir, _known(service, image))
    teller.places = _places(service)
    acts = tuple(
        teller.tell(
            (*entry, *command), command_place if not entry else entry_place, command, command_place
        )
    )
    known = bool(entry or command) and (
        image is not None or bool(service and service.words("entrypoint"))
    )
    return Start(
        entry,
        command,
        entry_place,
        command_place,
        shell_form,
        _with_main(acts),
        tuple(teller.scripts),
        known,
    )


def _places(service: Service | None) -> dict[str, Place]:
    """Return where each word of a Compose file's lists begins; a block's text, below its bar."""
    found = [service.get(key) for key in ("entrypoint", "command")] if service else []
    items = [one for each in found if each is not None for one in each.items]
    return {one.text: Place(one.path, one.line + (one.style in ("|", ">"))) for one in items}


def _known(service: Service | None, image: Image | None) -> dict[str, str]:
    """Return the variables whose values the files alone decide."""
    out = dict(image.environ) if image is not None else {}
    if service is None:
        return out
    if not service.all_env_files_there:
        out = {}
    for name, given in service.environment.items():
        out.pop(name, None)
        if given.value is not None and not given.unknown:
            out[name] = given.value
    return {name: value for name, value in out.items() if "$" not in value}


def _argv(
    service: Service | None, image: Image | None
) -> tuple[tuple[str, ...], tuple[str, ...], Place, Place, bool]:
    nowhere = (
        Place(image.path, image.stage.line) if image else service.place if service else Place("")
    )
    entry: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entry_place = command_place = nowhere
    shell_form = False
    if image is not None and image.entrypoint is not None:
        entry, shell_form = _form(image.entrypoint.words, image.entrypoint.shell, image.shell_words)
        entry_place = image.entrypoint.place
    if image is not None and image.cmd is not None and not shell_form:
        command, shell_form = _form(image.cmd.words, image.cmd.shell, image.shell_words)
        command_place = image.cmd.place
    if service is not None:
        own = service.words("entrypoint")
        if own is not None:
            entry, command, shell_form = own, (), False
            entry_place = command_place = service.place_of("entrypoint")
        mine = service.words("command")
        if mine is not None:
            command, command_place = mine, service.place_of("command")
            shell_form = shell_form and bool(entry)
    return entry, command, entry_place, command_place, shell_form


def _form(
    exec_form: tuple[str, ...] | None, text: str, shell_words: tuple[str, ...]
) -> tuple[tuple[str, ...], bool]:
    if exec_form is not None:
        return exec_form, False
    return (*(shell_words or ("/bin/sh", "-c")), text), True


def _with_main(acts: tuple[Act, ...]) -> tuple[Act, ...]:
    if not acts:
        return acts
    for index in range(len(acts) - 1, -1, -1):
        if words.serves(acts[index].words) or words.is_worker(acts[index].words):
            return (*acts[:index], replace(acts[index], main=True), *acts[index + 1 :])
    return (*acts[:-1], replace(acts[-1], main=True))


class _Teller:
    def __init__(self, find: Find, workdir: str, known: Mapping[str, str]) -> None:
        self.find, self.workdir, self.known = find, workdir, known
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
        found = self.script(rest[0])
        if found is not None and not found[0].endswith(".py"):
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
        return sourcing.Reader(self.find, self.workdir, self.known)

    def in_script(
        self, found: tuple[str, str, str], rest: tuple[str, ...], place: Place,
        command: tuple[str, ...], command_place: Place, depth: int, by_shell: bool,
    ) -> Iterator[Act]:  # fmt: skip
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

    def value(self, text: str, arguments: tuple[str, ...], name: str) -> str | None:
        """Return what a variable of a script, or an argument, is; None where the script sets it."""
        if name.isdigit():
            moved = re.search(r"\bshift\b|\bset +--", text)
            given = arguments[int(name) - 1 : int(name)] if int(name) and not moved else ()
            return given[0] if given and "$" not in given[0] else None
        changed = re.search(rf"\b{name}=|\b(read|source|\.|eval)\b[^\n]*\b{name}\b", text)
        return None if changed else self.known.get(name)

    def commands(
        self, parsed: shell.Script, where: Place, script: str, arguments: tuple[str, ...],
        command: tuple[str, ...], command_place: Place, depth: int, through: str,
    ) -> Iterator[Act]:  # fmt: skip
        self.shells += 1
        joined = self.reader.joined(parsed, self.caller[1])
        own = script
        for each in joined.sourced:
            called = Place(where.path, each.line if own else where.line + each.line - 1)
            use = ScriptUse(each.path, each.target, each.parsed, True, (), called, sourced=True)
            self.scripts.append(use)
        for one in joined.script.flat():
            if not branches.possible(one.given, partial(self.value, joined.text, arguments)):
                continue
            script = one.path or own
            line = one.line if script else where.line + one.line - 1
            place = Place(one.path or where.path, line)
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
                yield replace(mine, locked=mine.locked or locked)

    def moved(self, one: shell.Command, text: str) -> None:
        """Follow a plain `cd`: what comes behind it is found from there."""
        if one.name == "cd" and one.always and len(one.words) == 2 and not one.piped:
            found = self.reader.candidates(one.words[1], text, self.caller[1])
            self.workdir = found[0] if found else self.workdir


def _as_run(act: Act, one: shell.Command) -> shell.Command:
    """The words as they run, with everything else as the script says it."""
    inner = act.command.words
    return replace(one, words=("exec", *inner) if one.replaces else inner)


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
