"""The migrations as they would be: what is on disk, and what a fix has changed in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.errors import UsageProblem
from tidegate.reading.encodings import decoded
from tidegate.workflows.check import sources
from tidegate.workflows.check.labels import labelled
from tidegate.workflows.check.sources import Source


class Tree:
    """A project's migration files, some of them changed or new, none of that written."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.texts: dict[str, str] = {}
        self.new: set[str] = set()
        self.memo: dict[str, Any] = {}  # what was worked out of the files as they are now
        self.labels: dict[str, str] = {}  # of the apps in folders whose place misleads
        self._encodings: dict[str, str] = {}
        self._windows: set[str] = set()  # files with Windows' line ends, and their folders
        self._disk: list[Source] | None = None

    def sources(self) -> list[Source]:
        """Return every migration file, the new ones too."""
        if self._disk is None:
            self._disk = sources.find(self.root)
        beside = {one.path.rpartition("/")[0]: one for one in self._disk}
        made = []
        for path in self.new:
            folder, name = _folder(path), path.rpartition("/")[2]
            kin = beside[folder]
            file = os.path.join(self.root, path)
            made.append(kin._replace(name=name[:-3], path=path, file=file, size=-1, time=0))
        every = [labelled(one, self.labels) for one in (*self._disk, *made)]
        return sorted(every, key=lambda one: one.path)

    def source(self, path: str) -> Source:
        """Return one file."""
        return next(one for one in self.sources() if one.path == path)

    def read(self, path: str) -> str:
        """Return a file's text as it would be."""
        if path in self.texts:
            return self.texts[path]
        return self._on_disk(path)

    def bytes(self, path: str) -> bytes:
        """Return a changed or new file as it would be written: in the encoding that it has."""
        text = self.texts[path]
        if path in self._windows or (path in self.new and _folder(path) in self._windows):
            text = text.replace("\n", "\r\n")
        return text.encode(self._encodings.get(path, "utf-8"))

    def _on_disk(self, path: str) -> str:
        text, self._encodings[path] = decoded(Path(self.root, path).read_bytes())
        if "\r\n" in text and text.count("\r\n") == text.count("\n"):
            self._windows |= {path, _folder(path)}
            text = text.replace("\r\n", "\n")
        return text

    def names(self, folder: str) -> list[str]:
        """Return the names of the Python files in a folder, without `.py`."""
        found = {one.stem for one in Path(self.root, folder).glob("*.py")}
        found |= {Path(one).stem for one in self.new if _folder(one) == folder}
        return sorted(found)

    def take(self, changed: Mapping[str, str], new: Mapping[str, str]) -> bool:
        """Take changes; False, and nothing is taken, where a new file is there already."""
        if any(one in self.new or Path(self.root, one).exists() for one in new):
            return False
        self.memo.clear()
        self.new |= set(new)
        self.texts.update(changed)
        self.texts.update(new)
        return True

    def diff(self) -> list[str]:
        """Return the changes as people read them."""
        import difflib

        out: list[str] = []
        for path in sorted(self.texts):
            fresh = path in self.new
            old = "" if fresh else self._on_disk(path)
            before = "/dev/null" if fresh else f"a/{path}"
            out += difflib.unified_diff(
                old.splitlines(), self.texts[path].splitlines(), before, f"b/{path}", lineterm=""
            )
        return out

    def write(self) -> list[str]:
        """Write every file, or none; return their paths. Raises UsageProblem."""
        done: dict[str, bytes | None] = {}
        try:
            for path in sorted(self.texts):
                file = Path(self.root, path)
                before = None if path in self.new else file.read_bytes()
                done[path] = before
                file.write_bytes(self.bytes(path))
        except OSError as error:
            _put_back(self.root, done)
            raise UsageProblem(
                f"{error.filename or self.root} can't be written: {error.strerror}",
                "Nothing was changed: what had been written is as it was.",
                "give this user the right to write there",
            ) from None
        except BaseException:
            _put_back(self.root, done)
            raise
        return sorted(done)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _put_back(root: str, before: Mapping[str, bytes | None]) -> None:
    for path, data in before.items():
        with contextlib.suppress(OSError):
            if data is None:
                Path(root, path).unlink(missing_ok=True)
            elif Path(root, path).read_bytes() != data:
                Path(root, path).write_bytes(data)


def every(tree: Tree | None, root: str) -> Sequence[Source]:
    """Return the files of a tree, or those on disk."""
    return tree.sources() if tree is not None else sources.find(root)
