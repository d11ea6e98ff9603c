"""What the processes above this one were given, as far as their session goes.

A program that takes a variable out before it starts us has it still. A terminal is a session of its
own, so what lies above a person's shell is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator


def environments() -> Iterator[dict[str, str]]:
    """Return the environments of the processes that led to this one; none where /proc is not."""
    try:
        session = os.getsid(0)
    except (AttributeError, OSError):  # Windows
        return
    if session == os.getpid():  # a session of our own: what lies above is somebody else's
        return
    process = os.getppid()
    for _ in range(64):
        found = _environment(process)
        if found is not None:
            yield found
        if process == session:
            return
        process, of = _parent(process)
        if process <= 1 or of != session:
            return


def _environment(process: int) -> dict[str, str] | None:
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            raw = file.read()
    except OSError:  # another account's, or gone
        return None
    words = (word.partition("=") for word in raw.decode("utf-8", "replace").split("\0"))
    return {name: value for name, equals, value in words if equals}


def _parent(process: int) -> tuple[int, int]:
    """Return a process' parent and its session; zeros where that can't be told."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[1]), int(fields[3])
    except (OSError, ValueError, IndexError):
        return 0, 0
