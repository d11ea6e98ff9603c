"""What was read of each file, kept by its content, so that an unchanged file is not read again.

It lies in the user's cache folder, one file a project. A file counts as unchanged while its size
and time are the same; otherwise its bytes are compared by digest. A cache that can't be read or
written is no error: the files are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
from collections.abc import Mapping
from typing import Any

from tidegate._version import __version__


def folder(environ: Mapping[str, str]) -> str:
    """Return the cache's folder: TIDEGATE_CACHE, else the user's; "" where there is none."""
    named = environ.get("TIDEGATE_CACHE", "")
    if named:
        return "" if named in ("0", "off", "none") else named
    base = environ.get("XDG_CACHE_HOME") or environ.get("LOCALAPPDATA", "")
    home = environ.get("HOME") or environ.get("USERPROFILE", "")
    if not base and home:
        mac = os.path.join("Library", "Caches")
        base = os.path.join(home, mac if sys.platform == "darwin" else ".cache")
    return os.path.join(base, "tidegate") if base else ""


class Cache:
    """A dictionary that outlives the process.

    Each run appends what is new to the file; the last of an entry counts. When much of the file
    is out of date it is written anew, with what this run asked for.
    """

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        where = folder(environ)
        digest = hashlib.sha256(os.path.realpath(root).encode()).hexdigest()[:16]
        self.path = os.path.join(where, f"check-{digest}.pickle") if where else ""
        self.key = (__version__, _own_digest(), sys.version_info[:2])
        self.kept: dict[str, Any] = {}
        self.new: dict[str, Any] = {}
        self.asked: set[str] = set()
        self.written = 0  # entries in the file, out of date or not
        self._load()

    @property
    def on(self) -> bool:
        """Whether anything is kept."""
        return bool(self.path)

    def _load(self) -> None:
        if not self.path:
            return
        try:
            with open(self.path, "rb") as file:
                if not _is_ours(file.fileno()) or pickle.load(file) != self.key:
                    return
                while True:
                    part = pickle.load(file)
                    self.kept.update(part)
                    self.written += len(part)
        except EOFError:
            return
        except Exception:  # a cache in any state: absent, cut short, of another version
            self.kept, self.written = {}, 0

    def get(self, name: str) -> Any:
        """Return what was kept under `name`."""
        self.asked.add(name)
        return self.new.get(name, self.kept.get(name))

    def put(self, name: str, value: Any) -> None:
        """Keep a value."""
        self.asked.add(name)
        self.new[name] = value

    def save(self) -> None:
        """Append what is new; write all anew where most of the file is out of date."""
        if not self.path or not self.new:
            return
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            total = self.written + len(self.new)
            if self.written and total < 2 * len(self.kept) + 200:
                with open(self.path, "ab") as file:
                    file.write(pickle.dumps(self.new, pickle.HIGHEST_PROTOCOL))
                return
            current = {name: value for name, value in self.kept.items() if name in self.asked}
            temporary = f"{self.path}.{os.getpid()}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
            with open(os.open(temporary, flags, 0o600), "wb") as file:
                pickle.dump(self.key, file, pickle.HIGHEST_PROTOCOL)
                pickle.dump({**current, **self.new}, file, pickle.HIGHEST_PROTOCOL)
            os.replace(temporary, self.path)


def _is_ours(number: int) -> bool:
    """Whether an open file is this user's, and nobody else may write it: a pickle is code."""
    if not hasattr(os, "geteuid"):  # Windows: the folder is the user's own
        return True
    stat = os.fstat(number)
    return stat.st_uid == os.geteuid() and not stat.st_mode & 0o022


def _own_digest() -> str:
    """Return what changes when the readers or rules do, between two releases of the same number."""
    from tidegate import reading, rules

    times = []
    for package in (reading, rules):
        for base in package.__path__:
            if not os.path.isdir(base):  # inside an archive
                continue
            for inner, folders, names in os.walk(base):
                folders[:] = [one for one in folders if one != "__pycache__"]
                times += [
                    str(os.stat(os.path.join(inner, one)).st_mtime_ns)
                    for one in names
                    if one.endswith(".py")
                ]
    return hashlib.sha256(" ".join(sorted(times)).encode()).hexdigest()[:16]
