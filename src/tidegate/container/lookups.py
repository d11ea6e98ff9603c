"""What a project's settings look up in the environment, as seen by what stands in its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.container import pydantic
from tidegate.container.imports import Imports, own_packages


class Own:
    """Tells the project's own files from those of libraries."""

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        self._root = root + os.sep
        self._packages = own_packages(root, environ)

    def holds(self, file: str) -> bool:
        """Whether a file is the project's own, also where the project is installed."""
        path = os.path.realpath(file)
        _, installed, inside = path.rpartition(f"{os.sep}site-packages{os.sep}")
        if installed:
            return inside.partition(os.sep)[0].removesuffix(".py") in self._packages
        return path.startswith(self._root)

    def shown(self, file: str) -> str:
        """Return a file's name as people know it."""
        return file.removeprefix(self._root).rpartition(f"{os.sep}site-packages{os.sep}")[2]


class Watch:
    """What was looked up in the environment; `missing` only where the project's own code asked."""

    def __init__(self, own: Own, imports: Imports) -> None:
        self._own = own
        self._imports = imports
        self.reads: set[str] = set()
        self.missing: list[str] = []
        self.last = ""
        self._walked = self._walked_here = False
        self._yielded = ""  # by a walk over the environment: looked up next, and not by name

    @property
    def blindly(self) -> bool:
        """Whether the whole environment was walked, and nobody says what for."""
        return self._walked_here or (self._walked and not pydantic.variables())

    def read(self, environ: Mapping[str, str]) -> list[str]:
        """Return what was looked up, or may have been."""
        return sorted(self.reads | (set(environ) if self.blindly else pydantic.variables()))

    def looked_up(self, name: str) -> None:
        """Note a look-up."""
        if name == self._yielded:
            self._yielded = ""
        else:
            self.reads.add(name)
            self.last = name
            self._imports.looked_up(sys._getframe(2))

    def walk(self, names: Iterator[str]) -> Iterator[str]:
        """Note a walk over all names, and whether it is the project's own."""
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename.endswith(("os.py>", "_collections_abc>")):
            frame = frame.f_back
        self._walked = True
        self._walked_here |= self._own.holds(frame.f_code.co_filename)
        self._imports.looked_up(frame)
        for name in names:
            self._yielded = name
            yield name

    def lacks(self, name: str) -> None:
        """Note a variable that isn't there, unless a library asked for its own ends."""
        if self._is_asked_by_project():
            self.missing.append(name)

    def _is_asked_by_project(self) -> bool:
        """Walk the callers up to one of the project's files, or to an import that it began."""
        frame = sys._getframe(2)
        while frame is not None and "importlib" not in frame.f_code.co_filename:
            if self._own.holds(frame.f_code.co_filename):
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False


def watch_environ(environ: Mapping[str, str], own: Own, imports: Imports) -> Watch:
    """Put `environ` in place of this process's environment and record every look-up."""
    watch = Watch(own, imports)
    for name in list(os.environ):
        if name not in environ:
            del os.environ[name]
    os.environ.update(environ)
    kind = type(os.environ)

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __getitem__(self, name: str) -> str:
            watch.looked_up(name)
            try:
                return str(kind.__getitem__(self, name))
            except KeyError:
                watch.lacks(name)
                raise

        def get(self, name: str, default: Any = None) -> Any:
            watch.looked_up(name)
            try:
                return kind.__getitem__(self, name)
            except KeyError:
                watch.lacks(name)
                return default

        def __contains__(self, name: object) -> bool:
            watch.looked_up(str(name))
            there = kind.__contains__(self, name)
            if not there:
                watch.lacks(str(name))
            return bool(there)

        def __iter__(self) -> Any:
            return watch.walk(kind.__iter__(self))

    os.environ.__class__ = Watched
    return watch
