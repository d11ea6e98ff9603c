"""Which mount of this container a folder lies on, and whether that outlives the container."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

MOUNTS = "/proc/self/mountinfo"
MEMORY = ("tmpfs", "ramfs")
NAMELESS = re.compile(r"/volumes/[0-9a-f]{64}/_data(/|$)")  # each container gets one of its own
CONTAINER = ("/.dockerenv", "/run/.containerenv")
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount, as the kernel lists it."""

    path: str
    writable: bool
    kind: str
    root: str = ""

    @property
    def is_memory(self) -> bool:
        """Whether it is memory of this container alone; a folder of the host's memory is not."""
        return self.kind in MEMORY and self.root in ("", "/")


def parsed(text: str) -> list[Mount]:
    """Return the mounts of `/proc/self/mountinfo`; a later one lies over an earlier one."""
    out = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 7 or "-" not in words:
            continue
        path = _OCTAL.sub(lambda found: chr(int(found[1], 8)), words[4])
        kind = words[words.index("-") + 1]
        out.append(Mount(path, "rw" in words[5].split(","), kind, words[3]))
    return out


def _listed() -> str:
    """Return what the kernel says of this process's mounts; nothing where it has no such file."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def of(folder: str, mounts: list[Mount]) -> Mount | None:
    """Return the mount that a folder, there or not, lies on."""
    path = os.path.realpath(folder)
    over = [one for one in mounts if os.path.commonpath((one.path, path)) == one.path]
    return max(reversed(over), key=lambda one: len(one.path), default=None)


def shared(folder: str, code: str, text: str | None = None) -> bool:
    """Return whether a folder lies on a writable mount of its own, apart from the code.

    What lies in the image itself, on a read-only mount or in memory belongs to one container; what
    lies beside the code is a developer's own tree.
    """
    mounts = parsed(_listed() if text is None else text)
    found = of(folder, mounts)
    if found is None or found.path == "/" or not found.writable or found.is_memory:
        return False
    return found != of(code, mounts)


def passing(path: str, text: str | None = None) -> str:
    """Return where a file lies that another container does not have; empty where it is kept.

    That is "layer", the container's own, "memory", or "volume", which has no name: Compose hands
    it on to the service's next container, and a one-off container gets another. On a machine of
    one's own nothing passes.
    """
    if text is None and not any(map(os.path.exists, CONTAINER)):
        return ""
    found = of(path, parsed(_listed() if text is None else text))
    if found is None:
        return ""
    if found.path == "/":
        return "layer"
    if found.is_memory:
        return "memory"
    return "volume" if NAMELESS.search(found.root) else ""
