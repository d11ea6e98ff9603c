"""What settings write while they are only asked: taken back, so that no made-up folder stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class TakenBack:
    """Removes at the end each file and folder below `root` that was not there before.

    Python tells of them as it makes them (https://docs.python.org/3/library/audit_events.html).
    What is made by other programs, or below a folder that was there and is moved, stays.
    """

    def __init__(self, root: str) -> None:
        self._roots = tuple({root + os.sep, os.path.realpath(os.getcwd()) + os.sep})
        self._made: list[str] = []
        self._on = False

    def __enter__(self) -> TakenBack:
        self._on = True
        sys.addaudithook(self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._on = False  # a hook can't be taken away
        for path in reversed(self._made):
            try:
                (Path.rmdir if os.path.isdir(path) else Path.unlink)(Path(path))
            except OSError:
                continue  # gone already, or something else was put into it

    def _heard(self, event: str, given: tuple[Any, ...]) -> None:
        if not self._on or event not in ("open", "os.mkdir", "sqlite3.connect"):
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & WRITING):
            return
        try:
            path = os.path.realpath(os.fsdecode(given[0]))
        except (TypeError, ValueError):
            return
        known = path.startswith(self._roots) and "__pycache__" not in path
        if known and path not in self._made and not os.path.lexists(path):
            self._made.append(path)
