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
    """A dictionary that outlives the process; what was not asked for is forgotten."""

    def __init__(self, root: str, environ: Mapping[str, str]) -> None:
        where = folder(environ)
        digest = hashlib.sha256(os.path.realpath(root).encode()).hexdigest()[:16]
        self.path = os.path.join(where, f"check-{digest}.pickle") if where else ""
        self.key = (__version__, _own_digest(), sys.version_info[:2])
        self.old: dict[str, Any] = {}
        self.new: dict[str, Any] = {}
        self.changed = False
        self._load()

    def _load(self) -> None:
        if not self.path:
            return
        try:
            with open(self.path, "rb") as file:
                key, values = pickle.load(file)
        except Exception:  # a cache of any state: absent, cut short, of another version
            return
        if key == self.key and isinstance(values, dict):
            self.old = values

    def get(self, name: str) -> Any:
        """Return what was kept under `name`, and keep it on."""
        value = self.old.get(name)
        if value is not None:
            self.new[name] = value
        return value

    def put(self, name: str, value: Any) -> None:
        """Keep a value."""
        self.new[name] = value
        self.changed = True

    def save(self) -> None:
        """Write what is new, in one move."""
        if not self.path or not (self.changed or len(self.new) != len(self.old)):
            return
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            temporary = f"{self.path}.{os.getpid()}"
            with open(temporary, "wb") as file:
                pickle.dump((self.key, self.new), file, pickle.HIGHEST_PROTOCOL)
            os.replace(temporary, self.path)


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
