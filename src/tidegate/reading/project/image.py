"""What an image will hold and do, read from its Dockerfile: files, user, tools, start command."""

from __future__ import annotations

import fnmatch
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tidegate.reading.project import shell
from tidegate.reading.project.dockerfile import Dockerfile, Instruction, Stage, pairs
from tidegate.reading.project.ignore import Ignore
from tidegate.reading.project.interpolation import interpolate


@dataclass(frozen=True)
class Copy:
    """One source of a COPY or ADD, as it lands in the image."""

    source: str  # relative to the project; empty for a heredoc or another image
    target: str
    into: bool  # the target is a folder that the source goes into
    instruction: Instruction
    order: int
    mode: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Run:
    """One RUN with its parsed shell, and who runs it where."""

    instruction: Instruction
    script: shell.Script
    user: str
    workdir: str
    environ: Mapping[str, str]
    order: int

    def line(self, command: shell.Command) -> int:
        """Return the line of the Dockerfile on which a command stands."""
        extra = (
            1 if self.instruction.heredocs and self.script.text in self.instruction.heredocs else 0
        )
        return self.instruction.line + command.line - 1 + extra


@dataclass
class Image:
    """The last stage, with the stages it builds on, as one list of things that happen."""

    file: Dockerfile
    stage: Stage
    context: str = ""
    ignore: Ignore = field(default_factory=lambda: Ignore(()))
    base: str = ""
    base_line: int = 0
    environ: dict[str, str] = field(default_factory=dict)
    build_args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    user_line: int = 0
    entrypoint: Instruction | None = None
    cmd: Instruction | None = None
    healthcheck: Instruction | None = None
    stop_signal: str = ""
    shell_words: tuple[str, ...] = ()
    copies: list[Copy] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    volumes: list[tuple[str, Instruction]] = field(default_factory=list)
    known_folders: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """The Dockerfile's path."""
        return self.file.path

    def origin(self, path: str) -> Copy | None:
        """Return the COPY that puts `path` there, `source` being the very file; the last wins."""
        found: Copy | None = None
        for one in self.copies:
            source = _source_of(one, posixpath.normpath(path))
            if source is None or (one.source and self.ignore.ignores(_below(source, self.context))):
                continue
            found = Copy(source, path, False, one.instruction, one.order, one.mode, one.owner)
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
            if inside and not self.ignore.ignores(_below(source, self.context)):
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


def _source_of(copy: Copy, path: str) -> str | None:
    """Return the host's file that `copy` puts at `path`; "" for content that is no host file."""
    target = posixpath.normpath(copy.target)
    if "*" in copy.source or "?" in copy.source:
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


class Builder:
    """Walks the stages of a Dockerfile and gathers an Image."""

    def __init__(
        self,
        file: Dockerfile,
        context: str,
        is_dir: frozenset[str],
        ignore: Ignore,
        build_args: Mapping[str, str],
    ) -> None:
        self.file, self.context, self.is_dir, self.ignore = file, context, is_dir, ignore
        self.build_args = dict(build_args)
        self.order = 0

    def build(self, target: str = "") -> Image | None:
        """Return the image of a stage; None where the file has no such stage."""
        stage = self.file.stage(target)
        return self._stage(stage, 0) if stage is not None else None

    def _stage(self, stage: Stage, depth: int) -> Image:
        parent = self.file.stage(stage.base) if stage.base else None
        earlier = parent is not None and parent.line < stage.line and depth < 20
        if parent is not None and earlier and not stage.base.isdigit():
            image = self._stage(parent, depth + 1)
            image.stage = stage
        else:
            image = Image(self.file, stage, self.context, self.ignore, stage.base, stage.line)
            image.known_folders = frozenset(posixpath.basename(one) for one in self.is_dir)
        image.build_args = {}
        for one in stage.instructions:
            self.order += 1
            method = getattr(self, "_on_" + one.name.lower(), None)
            if method is not None:
                method(image, one)
        return image

    def expand(self, image: Image, text: str) -> str:
        """Replace ARG and ENV variables, as they stand at this point."""
        values = {**self.file.args, **image.build_args, **image.environ}
        return interpolate(text, values)

    def _on_arg(self, image: Image, one: Instruction) -> None:
        for name, value in pairs(one.text).items():
            default = self.file.args.get(name, "") if value is None else self.expand(image, value)
            image.build_args[name] = self.build_args.get(name, default)

    def _on_env(self, image: Image, one: Instruction) -> None:
        for name, value in pairs(one.text).items():
            image.environ[name] = self.expand(image, value or "")

    def _on_workdir(self, image: Image, one: Instruction) -> None:
        image.workdir = image.absolute(self.expand(image, one.text.strip().strip("\"'")))

    def _on_user(self, image: Image, one: Instruction) -> None:
        image.user = self.expand(image, one.text.strip())
        image.user_line = one.line

    def _on_entrypoint(self, image: Image, one: Instruction) -> None:
        image.entrypoint = one
        if image.cmd is not None and image.cmd not in image.stage.instructions:
            image.cmd = None  # an inherited CMD is dropped together with the old ENTRYPOINT

    def _on_cmd(self, image: Image, one: Instruction) -> None:
        image.cmd = one

    def _on_healthcheck(self, image: Image, one: Instruction) -> None:
        image.healthcheck = one

    def _on_stopsignal(self, image: Image, one: Instruction) -> None:
        image.stop_signal = one.text.strip()

    def _on_shell(self, image: Image, one: Instruction) -> None:
        image.shell_words = one.words or ()

    def _on_volume(self, image: Image, one: Instruction) -> None:
        for path in one.words or one.text.split():
            image.volumes.append((image.absolute(self.expand(image, path)), one))

    def _on_run(self, image: Image, one: Instruction) -> None:
        text = shlex.join(one.words) if one.words else one.shell
        if one.heredocs and text.strip().startswith("<<"):
            text = one.heredocs[0]
        strict = any(
            "-e" in word or (word.startswith("-") and "e" in word[1:])
            for word in image.shell_words[1:]
        )
        script = shell.parse(text, errexit=strict)
        environ = {**image.build_args, **image.environ}
        image.runs.append(Run(one, script, image.user, image.workdir, environ, self.order))

    def _on_copy(self, image: Image, one: Instruction) -> None:
        words = list(one.words) if one.words else one.text.split()
        words = [self.expand(image, word) for word in words]
        if len(words) < 2:
            return
        *sources, target = words
        into = target.endswith("/") or target in (".", "./") or len(sources) > 1
        target = image.absolute(target)
        for source in sources:
            self._copy(image, one, source, target, into)

    _on_add = _on_copy

    def _copy(self, image: Image, one: Instruction, source: str, target: str, into: bool) -> None:
        mode, owner = one.flag("chmod"), one.flag("chown")
        stage = self.file.stage(one.flag("from")) if one.flag("from") else None
        if source.startswith("<<"):
            image.copies.append(Copy("", target, False, one, self.order, mode, owner))
        elif stage is not None and stage.line < image.stage.line:
            self._from_stage(image, one, stage, source, target, into)
        elif one.flag("from"):
            where = posixpath.join(target, posixpath.basename(source)) if into else target
            image.copies.append(Copy("", where, False, one, self.order, mode, owner))
        else:
            path = posixpath.normpath(posixpath.join(self.context, source.lstrip("/")))
            folder = path in self.is_dir or path in ("", ".")
            image.copies.append(
                Copy(path, target, into and not folder, one, self.order, mode, owner)
            )

    def _from_stage(
        self, image: Image, one: Instruction, stage: Stage, source: str, target: str, into: bool
    ) -> None:
        """Files that an earlier stage got from the host keep their origin; built ones have none."""
        order, self.order = self.order, 0
        earlier = self._stage(stage, 1)
        self.order = order
        source = posixpath.normpath(posixpath.join("/", source))
        where = posixpath.join(target, posixpath.basename(source)) if into else target
        found = earlier.origin(source)
        image.copies.append(
            Copy("", where, False, one, order, one.flag("chmod"), one.flag("chown"))
        )
        if found is not None and found.source in self.is_dir:
            image.copies.append(Copy(found.source, target, False, one, order, found.mode))
            return
        if found is not None and found.source:
            image.copies.append(Copy(found.source, where, False, one, order, found.mode))
            return
        for copy in earlier.copies:
            if copy.target == source or copy.target.startswith(source.rstrip("/") + "/"):
                rest = copy.target[len(source) :].lstrip("/")
                place = posixpath.join(target, rest) if rest else target
                image.copies.append(Copy(copy.source, place, copy.into, one, order, copy.mode))
