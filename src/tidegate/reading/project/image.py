"""What an image will hold and do, read from its Dockerfile: files, user, tools, start command."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tidegate.model.finding import Place
from tidegate.reading.project import shell
from tidegate.reading.project.dockerfile import Dockerfile, Instruction, Stage
from tidegate.reading.project.ignore import Ignore

_NOTHING = Ignore(())
_PLAIN = ("python", "debian", "ubuntu", "alpine", "node", "uv")
_NOWHERE = Place("")


@dataclass(frozen=True)
class Copy:
    """One source of a COPY or ADD, as it lands in the image.

    `context` and `ignore` are those of the build that copied it, which may be the build of an image
    below this one.
    """

    source: str  # relative to the project; empty for a heredoc or another image
    target: str
    into: bool  # the target is a folder that the source goes into
    instruction: Instruction
    order: int
    mode: str = ""
    owner: str = ""
    context: str = ""
    ignore: Ignore = _NOTHING

    def leaves_out(self, path: str) -> bool:
        """Whether the build's ignore file keeps a file of the project out."""
        return self.ignore.ignores(_below(path, self.context))


@dataclass(frozen=True)
class Run:
    """One RUN with its parsed shell, and who runs it where."""

    instruction: Instruction
    script: shell.Script
    user: str
    workdir: str
    environ: Mapping[str, str]
    order: int

    def place(self, command: shell.Command, note: str = "") -> Place:
        """Return where a command stands."""
        return Place(self.instruction.path, self.line(command), note=note)

    def line(self, command: shell.Command) -> int:
        """Return the line of the Dockerfile on which a command stands."""
        extra = (
            1 if self.instruction.heredocs and self.script.text in self.instruction.heredocs else 0
        )
        return self.instruction.line + command.line - 1 + extra


@dataclass
class Image:
    """The last stage, with what it builds on, as one list of things that happen.

    It builds on stages of the same file, and on images that other Dockerfiles of the project make;
    an instruction knows its own file. `base` is the first image that is not built here.
    """

    file: Dockerfile
    stage: Stage
    context: str = ""
    ignore: Ignore = _NOTHING
    base: str = ""
    base_place: Place = _NOWHERE
    environ: dict[str, str] = field(default_factory=dict)
    build_args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    user_place: Place = _NOWHERE
    entrypoint: Instruction | None = None
    cmd: Instruction | None = None
    healthcheck: Instruction | None = None
    stop_signal: str = ""
    shell_words: tuple[str, ...] = ()
    copies: list[Copy] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    volumes: list[tuple[str, Instruction]] = field(default_factory=list)
    known_folders: frozenset[str] = frozenset()
    known_files: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """The Dockerfile's path."""
        return self.file.path

    @property
    def plain(self) -> bool:
        """Whether it builds on an image that brings no app: no user, folder or variable of one."""
        return self.base.partition("@")[0].rpartition("/")[2].partition(":")[0] in _PLAIN

    @property
    def own_runs(self) -> list[Run]:
        """The RUNs of its own file; those of an image below are told with that image."""
        return [one for one in self.runs if one.instruction.path == self.path]

    def origin(self, path: str) -> Copy | None:
        """Return the COPY that puts `path` there, `source` being the very file; the last wins."""
        found: Copy | None = None
        for one in self.copies:
            source = _source_of(one, posixpath.normpath(path))
            if source is None or (one.source and one.leaves_out(source)):
                continue
            if _pattern(one) and self.known_files and source not in self.known_files:
                continue
            found = replace(one, source=source, target=path, into=False)
        return found

    def copied_to(self, source: str) -> str:
        """Return where a file of the project lands in the image; empty where it does not."""
        for one in reversed(self.copies):
            if not one.source and not one.into:
                continue
            below = _below(source, one.source)
            if source == one.source:
                return (
                    posixpath.join(one.target, posixpath.basename(source))
                    if one.into
                    else one.target
                )
            inside = one.source in ("", ".") or source.startswith(one.source + "/")
            if inside and not one.leaves_out(source):
                return posixpath.normpath(posixpath.join(one.target, below))
        return ""

    def absolute(self, path: str) -> str:
        """Return `path` as the image sees it from its working directory."""
        return posixpath.normpath(posixpath.join(self.workdir or "/", path))

    @cached_property
    def installed(self) -> frozenset[str]:
        """Every word behind an install command: package names of apt, apk, dnf, pip and others."""
        words: set[str] = set()
        for run in self.runs:
            for command in run.script.flat():
                if "install" in command.words or "add" in command.words or "-S" in command.words:
                    words.update(re.split(r"[=<>~@:\[]", word)[0] for word in command.words[1:])
        return frozenset(words)

    def run_words(self) -> str:
        """Return the text of every RUN, for questions as broad as "does it name curl"."""
        return "\n".join(run.script.text for run in self.runs)


def _below(path: str, folder: str) -> str:
    return path[len(folder) + 1 :] if folder and path.startswith(folder + "/") else path


def _pattern(copy: Copy) -> bool:
    return "*" in copy.source or "?" in copy.source


def _source_of(copy: Copy, path: str) -> str | None:
    """Return the host's file that `copy` puts at `path`; "" for content that is no host file."""
    target = posixpath.normpath(copy.target)
    if _pattern(copy):
        name = posixpath.join(posixpath.dirname(copy.source), posixpath.basename(path))
        matches = posixpath.dirname(path) == target and fnmatch.fnmatch(name, copy.source)
        return name if matches else None
    if copy.into:
        name = posixpath.basename(copy.source)
        inner = posixpath.join(target, name)
        return copy.source if path == inner and copy.source else None
    if path == target:
        return copy.source
    if not path.startswith(target.rstrip("/") + "/"):
        return None
    rest = path[len(target.rstrip("/")) + 1 :]
    if copy.source == "" and copy.instruction.flag("from"):
        return None
    return rest if copy.source in ("", ".") else posixpath.join(copy.source, rest)
