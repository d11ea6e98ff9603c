"""What changed in a source tree: polled, so that it works on every mount and every system."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tidegate.workflows.make import IGNORED

Seen = Mapping[str, tuple[int, int]]
POLL = 0.4


def seen(folder: Path) -> Seen:
    """Return the Python files below the folder, each with its time and size."""
    found: dict[str, tuple[int, int]] = {}
    waiting = [str(folder)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # it went while we looked
        for one in entries:
            if one.name.startswith(".") or one.name in IGNORED:
                continue
            try:
                if one.is_dir(follow_symlinks=False):
                    if not os.path.exists(os.path.join(one.path, "pyvenv.cfg")):
                        waiting.append(one.path)
                elif one.name.endswith(".py"):
                    said = one.stat()
                    found[one.path] = (said.st_mtime_ns, said.st_size)
            except OSError:
                continue
    return found


def changed(before: Seen, now: Seen) -> list[str]:
    """Return the paths that differ."""
    return sorted(path for path in {*before, *now} if before.get(path) != now.get(path))


def wait(folder: Path, before: Seen, sleep: Callable[[float], None] = time.sleep) -> Seen:
    """Return when something has changed and a whole poll has passed without another change."""
    now = before
    while not changed(before, now):
        sleep(POLL)
        now = seen(folder)
    while True:  # an editor, or git, is still at it
        sleep(POLL)
        later = seen(folder)
        if not changed(now, later):
            return later
        now = later
