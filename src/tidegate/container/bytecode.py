"""The compiled form of what boot imports at every start, written while an image is sealed.

Images often come without it: the official Python images drop the library's, uv compiles nothing
unless it is told to, and PYTHONDONTWRITEBYTECODE, or a user who may not write there, keeps it so
for good. Compiling anew at each start takes longer than all that boot then does.
"""

from __future__ import annotations

import importlib.util
import os
import py_compile

STARTS = (  # Python itself loads these before it runs anything
    "encodings", "encodings.aliases", "encodings.utf_8", "__future__",
)  # fmt: skip
CONTAINER = ("entry", "fast", "fastlite", "line", "report", "sealfile")
DATABASES = ("pginit", "pglocks", "pglogin", "pgparams", "pgscram", "pgtls", "pgwire")
BOOTS = (
    "tidegate", "tidegate.__main__", "tidegate.settings", "tidegate.container",
    "tidegate.databases", *(f"tidegate.container.{name}" for name in CONTAINER),
    *(f"tidegate.databases.{name}" for name in DATABASES),
)  # fmt: skip


def compile_start() -> None:
    """Compile what is not compiled yet, where this user may write it."""
    for name in (*STARTS, *BOOTS):
        spec = importlib.util.find_spec(name)
        source = spec.origin if spec is not None else None
        if source is None or not os.path.isfile(source):  # frozen, or in an archive
            continue
        try:
            if _is_stale(source):
                py_compile.compile(source, doraise=True, quiet=2)
        except (OSError, NotImplementedError, py_compile.PyCompileError):
            continue  # it is as fast as before


def _is_stale(source: str) -> bool:
    """Whether Python would compile the file anew: its cache has no word of this size and time."""
    try:
        with open(importlib.util.cache_from_source(source), "rb") as file:
            head = file.read(16)
    except OSError:
        return True
    if head[:4] != importlib.util.MAGIC_NUMBER:
        return True
    if head[4:8] != b"\0\0\0\0":  # named by the source's digest: Python's own business
        return False
    found = os.stat(source)
    sizes = (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
    return head[8:16] != b"".join(one.to_bytes(4, "little") for one in sizes)
