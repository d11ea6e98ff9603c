"""Which images a project builds, each with the images of the project that it stands on."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.reading.project import dockerfile, ignore
from tidegate.reading.project.building import Builder
from tidegate.reading.project.composemerge import keyed
from tidegate.reading.project.image import Image
from tidegate.reading.project.service import Service
from tidegate.reading.project.sources import Source, Sources, reference
from tidegate.reading.project.tree import Item

_DOCKERFILE = re.compile(r"^(Dockerfile|Containerfile)([.-].+)?$|^.+\.(D|d)ockerfile$")


class ImagesOfProject:
    """The part of a project's files that has to do with images."""

    if TYPE_CHECKING:
        root: Path
        environ: dict[str, str]
        _images: dict[tuple[str, ...], Image | None]
        _of_services: dict[int, Image | None]

        @cached_property
        def paths(self) -> tuple[str, ...]:
            """Every file of the project."""

        @cached_property
        def path_set(self) -> frozenset[str]:
            """The files, for quick questions."""

        @cached_property
        def folders(self) -> frozenset[str]:
            """The folders that hold files."""

        @cached_property
        def services(self) -> tuple[Service, ...]:
            """Every service of every stack."""

        def read(self, path: str) -> str | None:
            """Return a file's text."""

        def siblings(self, service: Service) -> list[Service]:
            """Return the services of the same stack, itself included."""

    @cached_property
    def dockerfiles(self) -> tuple[str, ...]:
        """The Dockerfiles."""
        found = [path for path in self.paths if _DOCKERFILE.match(posixpath.basename(path))]
        return tuple(path for path in found if not path.endswith((".dockerignore", ".md")))

    def image(self, service: Service) -> Image | None:
        """Return the image that a service builds; None where it pulls one."""
        if id(service) not in self._of_services:
            self._of_services[id(service)] = self._image(service)
        return self._of_services[id(service)]

    def _image(self, service: Service) -> Image | None:
        if service.build is None:
            built = [
                one for one in self.siblings(service)
                if service.image and one.image == service.image and one.build is not None
            ]  # fmt: skip
            return self.image(built[0]) if built else None
        context, path, target = service.build
        sources = Sources(
            partial(self._context, service), partial(self._built, service), self.dockerignore,
            self.path_set,
        )  # fmt: skip
        return self.image_of(path, context, target, service.build_args, sources, _contexts(service))

    def image_of(
        self,
        path: str,
        context: str = "",
        target: str = "",
        args: Mapping[str, str] | None = None,
        sources: Sources | None = None,
        contexts: Mapping[str, Item] | None = None,
    ) -> Image | None:
        """Return the image of a Dockerfile."""
        named = {name: one.text for name, one in (contexts or {}).items()}
        key = (
            path,
            context,
            target,
            repr(sorted((args or {}).items())),
            repr(sorted(named.items())),
        )
        if key not in self._images:
            self._images[key] = None  # an image that names itself begins with one of elsewhere
            text = self.read(path)
            if text is not None:
                file = dockerfile.parse(text, path, args or {})
                ignored = self.dockerignore(context, path)
                builder = Builder(
                    file,
                    context,
                    self.folders,
                    ignored,
                    args or {},
                    sources or Sources(files=self.path_set),
                )
                self._images[key] = builder.build(target)
        return self._images[key]

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """Every image that a service builds; without services, that of each Dockerfile."""
        found = [image for one in self.services if (image := self.image(one)) is not None]
        named = {image.path for image in found}
        for path in self.dockerfiles:
            if path not in named and not self.services:
                alone = self.image_of(path, posixpath.dirname(path))
                found += [alone] if alone is not None else []
        return tuple({id(one): one for one in found}.values())

    def dockerignore(self, context: str, dockerfile_path: str = "") -> ignore.Ignore:
        """Return what a build leaves out."""
        for path in (dockerfile_path + ".dockerignore", posixpath.join(context, ".dockerignore")):
            text = self.read(path)
            if text is not None:
                return ignore.parse(text, path)
        return ignore.Ignore(())

    def _context(self, service: Service, name: str) -> Source | None:
        """Return what `additional_contexts` of a service say about a name."""
        item = _contexts(service).get(name)
        if item is None:
            return None
        kind, _, rest = item.text.partition(":")
        if kind == "service":
            found = [one for one in self.siblings(service) if one.name == rest]
            return Source(self.image(found[0]), found[0].image) if found else Source()
        if kind == "docker-image":
            meant = rest.removeprefix("//")
            return Source(self._built(service, meant), meant)
        if rest or item.text.startswith(("/", "~", "git@")):
            return Source()
        folder = posixpath.normpath(posixpath.join(item.base, item.text))
        return Source(folder="" if folder == "." else folder)

    def _built(self, asking: Service, name: str) -> Image | None:
        """Return the image that another build gives this name, that of its own stack first."""
        wanted = reference(name)
        siblings = self.siblings(asking)
        others = [one for one in self.services if one.stack is not asking.stack]
        for one in (*siblings, *others):
            if one.build in (None, asking.build):
                continue
            if wanted == reference(one.image or self._unnamed(one)):
                return self.image(one)
        return None

    def _unnamed(self, service: Service) -> str:
        """Return how Compose calls the image of a service that does not name it."""
        said = service.stack.tree.get("name")
        folder = posixpath.dirname(service.stack.files[0])
        given = service.stack.variables.get("COMPOSE_PROJECT_NAME")
        name = said.text if said is not None else given.value if given else ""
        name = name or posixpath.basename(folder) or self.root.resolve().name
        return f"{re.sub(r'[^a-z0-9_-]', '', name.lower())}-{service.name}"


def _contexts(service: Service) -> dict[str, Item]:
    found = service.get("build", "additional_contexts")
    return dict(keyed(found).entries) if found is not None else {}
