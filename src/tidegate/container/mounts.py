"""Which mount of this container a folder lies on, and whether that outlives the container."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

MOUNTS = "/proc/self/mountinfo"
PASSING = ("tmpfs", "ramfs")  # gone with the container
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount, as the kernel lists it."""

    path: str
    writable: bool
    kind: str


def parsed(text: str) -> list[Mount]:
    """Return the mounts of `/proc/self/mountinfo`; a later one lies over an earlier one."""
    out = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 7 or "-" not in words:
            continue
        path = _OCTAL.sub(lambda found: chr(int(found[1], 8)), words[4])
        kind = words[words.index("-") + 1]
        out.append(Mount(path, "rw" in words[5].split(","), kind))
    return out


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
    if text is None:
        try:
            with open(MOUNTS, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            return False
    mounts = parsed(text)
    found = of(folder, mounts)
    if found is None or found.path == "/" or not found.writable or found.kind in PASSING:
        return False
    return found != of(code, mounts)
