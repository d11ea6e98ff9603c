"""The host's code over the image's: which folders a one-off container gets, and as whom it runs."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tidegate.contracts.target import Target

ROOT = "0:0"


@dataclass(frozen=True, slots=True)
class HostCode:
    """Where the host's code lies, and which folders of the image below it have to stay.

    `own` are the mounts of the service itself, and `copied` says that one of them covers the
    image's code, so that an environment there can be had as a copy only.
    """

    workdir: str
    folder: Path
    environments: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    copied: bool = False

    def mounts(self) -> dict[str, str]:
        """Return what lays the host's code over the image's, as the host's files are now.

        An environment below the code's folder would be hidden with it, and the engine fills a
        volume in its place with a copy of all packages. So the folder's entries are laid over the
        image's one by one, and the environment is none of them.
        """
        if self.copied:
            missing = [one for one in self.environments if one not in self.own]
            return {self.workdir: str(self.folder), **dict.fromkeys(missing, "")}
        return _over(self.workdir, self.folder, self.environments, self.own)


def code(target: Target) -> HostCode:
    """Return how the host's code comes to lie over that of the backend's image."""
    workdir, own = target.workdir(), tuple(target.mounted())
    below = workdir.rstrip("/") + "/"
    places = [posixpath.dirname(target.python()), *target.image_path().split(":")]
    found = [one.removesuffix("/bin") for one in places if one.endswith("/bin")]
    environments = tuple(dict.fromkeys(one for one in found if one.startswith(below)))
    covered = any(below.startswith(one.rstrip("/") + "/") for one in own)
    return HostCode(workdir, Path(target.source), environments, own, covered)


def mounts(target: Target) -> dict[str, str]:
    """Return what lays the host's code over that of the backend's image."""
    return code(target).mounts()


def _over(
    inner: str, outer: Path, environments: Collection[str], own: Collection[str]
) -> dict[str, str]:
    below = inner.rstrip("/") + "/"
    if not any(one.startswith(below) for one in environments):
        return {inner: str(outer)}
    found: dict[str, str] = {}
    for name in sorted(os.listdir(outer)):
        # What is gone would be made as a folder by the engine; a colon divides its words.
        path, place = outer / name, below + name
        if place in environments or place in own or ":" in name:
            continue
        if path.is_dir() or path.is_file():
            found.update(_over(place, path, environments, own))
    return found


def owner(folder: Path) -> str:
    """Return whose files the host's are, as a container takes it; empty where that means nothing.

    On Windows and macOS the engine's virtual machine maps every user to the one at the keyboard.
    """
    if sys.platform in ("win32", "darwin"):
        return ""
    found = folder.stat()
    return f"{found.st_uid}:{found.st_gid}"
