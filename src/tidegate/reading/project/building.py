"""From a Dockerfile to the image that it builds: stages, named contexts, other images walked."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from tidegate.model.finding import Place
from tidegate.reading.project import shell
from tidegate.reading.project.dockerfile import Dockerfile, Instruction, Stage, pairs
from tidegate.reading.project.ignore import Ignore
from tidegate.reading.project.image import Copy, Image, Run
from tidegate.reading.project.interpolation import interpolate
from tidegate.reading.project.sources import Sources


@lru_cache(maxsize=8)
def _names(folders: frozenset[str]) -> frozenset[str]:
    return frozenset(posixpath.basename(one) for one in folders)


class Builder:
    """Walks the stages of a Dockerfile and gathers an Image."""

    def __init__(
        self,
        file: Dockerfile,
        context: str,
        is_dir: frozenset[str],
        ignore: Ignore,
        build_args: Mapping[str, str],
        sources: Sources,
    ) -> None:
        self.file, self.context, self.is_dir, self.ignore = file, context, is_dir, ignore
        self.build_args = dict(build_args)
        self.sources = sources
        self.order = 0

    def build(self, target: str = "") -> Image | None:
        """Return the image of a stage; None where the file has no such stage."""
        stage = self.file.stage(target)
        return self._stage(stage, 0) if stage is not None else None

    def _stage(self, stage: Stage, depth: int) -> Image:
        image = self._begun(stage, depth)
        image.build_args = {}
        for one in stage.instructions:
            self.order += 1
            method = getattr(self, "_on_" + one.name.lower(), None)
            if method is not None:
                method(image, one)
        return image

    def _begun(self, stage: Stage, depth: int) -> Image:
        """Return what a FROM begins with: an earlier stage, another build's image, or neither.

        A named context goes before a stage of that name, as BuildKit has it.
        """
        given = self.sources.given(stage.base) if stage.base else None
        parent = self.file.stage(stage.base) if stage.base and given is None else None
        if (
            parent is not None
            and parent.line < stage.line
            and not stage.base.isdigit()
            and depth < 20
        ):
            image = self._stage(parent, depth + 1)
            image.stage = stage
            return image
        name = given.name if given is not None and given.name else stage.base
        below = given.image if given is not None else self.sources.built(name)
        if below is not None:
            return self._upon(below, stage)
        image = Image(self.file, stage, self.context, self.ignore, name)
        image.base_place = Place(self.file.path, stage.line)
        image.known_files = self.sources.files
        image.known_folders = _names(self.is_dir)
        return image

    def _upon(self, below: Image, stage: Stage) -> Image:
        """Return an image of this file that begins with everything of another."""
        orders = [*(one.order for one in below.copies), *(one.order for one in below.runs)]
        self.order = max([self.order, *orders])
        return replace(
            below, file=self.file, stage=stage, context=self.context, ignore=self.ignore,
            environ=dict(below.environ), copies=list(below.copies), runs=list(below.runs),
            volumes=list(below.volumes),
        )  # fmt: skip

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
        image.user_place = one.place

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
        if source.startswith("<<"):
            image.copies.append(self._made(one, target))
        elif one.flag("from"):
            self._from(image, one, source, target, into)
        else:
            image.copies.append(self._host(one, self.context, self.ignore, source, target, into))

    def _host(
        self, one: Instruction, context: str, ignore: Ignore, source: str, target: str, into: bool
    ) -> Copy:
        """Return the copy of a file or folder of the project."""
        path = posixpath.normpath(posixpath.join(context, source.lstrip("/")))
        into = into and not (path in self.is_dir or path in ("", "."))
        made = self._made(one, target)
        return replace(made, source=path, into=into, context=context, ignore=ignore)

    def _made(self, one: Instruction, target: str) -> Copy:
        """Return the copy of something that is no file of the project."""
        return Copy("", target, False, one, self.order, one.flag("chmod"), one.flag("chown"))

    def _from(self, image: Image, one: Instruction, source: str, target: str, into: bool) -> None:
        """What comes out of a named context, an earlier stage, or another build's image."""
        name = one.flag("from")
        given = self.sources.given(name)
        stage = self.file.stage(name) if given is None else None
        if given is not None and given.folder is not None:
            ignore = self.sources.ignored(given.folder)
            image.copies.append(self._host(one, given.folder, ignore, source, target, into))
            return
        if stage is not None and stage.line < image.stage.line:
            order, self.order = self.order, 0
            earlier: Image | None = self._stage(stage, 1)
            self.order = order
        else:
            name = given.name if given is not None and given.name else name
            earlier = given.image if given is not None else self.sources.built(name)
        where = posixpath.join(target, posixpath.basename(source)) if into else target
        image.copies.append(self._made(one, where))
        if earlier is not None:
            self._out_of(image, earlier, one, source, target, where)

    def _out_of(
        self, image: Image, earlier: Image, one: Instruction, source: str, target: str, where: str
    ) -> None:
        """Files that an earlier image got from the host keep their origin; built ones have none."""
        source = posixpath.normpath(posixpath.join("/", source))
        found = earlier.origin(source)
        if found is not None and found.source:
            place = target if found.source in self.is_dir else where
            image.copies.append(self._again(found, one, place, False))
            return
        for copy in earlier.copies:
            if copy.target == source or copy.target.startswith(source.rstrip("/") + "/"):
                rest = copy.target[len(source) :].lstrip("/")
                place = posixpath.join(target, rest) if rest else target
                image.copies.append(self._again(copy, one, place, copy.into))

    def _again(self, copy: Copy, one: Instruction, target: str, into: bool) -> Copy:
        """Return a copy of an earlier image as this image gets it."""
        return replace(
            copy, target=target, into=into, instruction=one, order=self.order, owner="",
            mode=one.flag("chmod") or copy.mode,
        )  # fmt: skip
