"""What the names in FROM and COPY --from stand for outside of their own Dockerfile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidegate.reading.project.ignore import Ignore
from tidegate.reading.project.image import Image


@dataclass(frozen=True)
class Source:
    """A named context: an image that the project builds, an image of elsewhere, or a folder."""

    image: Image | None = None
    name: str = ""
    folder: str | None = None


def _no_context(name: str) -> Source | None:
    return None


def _no_image(name: str) -> Image | None:
    return None


def _no_ignore(folder: str) -> Ignore:
    return Ignore(())


@dataclass(frozen=True)
class Sources:
    """How a build finds them: by the contexts it is given, and by the names of built images."""

    given: Callable[[str], Source | None] = _no_context
    built: Callable[[str], Image | None] = _no_image
    ignored: Callable[[str], Ignore] = _no_ignore
    files: frozenset[str] = frozenset()  # the project's: a pattern takes none but these


def reference(name: str) -> tuple[str, str]:
    """Return an image's repository and tag as the engine reads them; no tag is `latest`."""
    name = name.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    for usual in ("docker.io/", "index.docker.io/", "library/"):
        folder = (folder + slash).removeprefix(usual).removesuffix("/")
    return (f"{folder}/{last}" if folder else last), tag or "latest"
