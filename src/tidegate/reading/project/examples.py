"""Files that a project keeps only an example of, since each machine writes its own."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator

_TAILS = (
    ".example",
    "-example",
    ".sample",
    "-sample",
    ".template",
    "-template",
    ".dist",
    ".default",
)


def beside(path: str, there: Collection[str]) -> str:
    """Return the file beside `path` that looks like its example; empty where there is none."""
    return next((one for one in _names(path) if one in there), "")


def _names(path: str) -> Iterator[str]:
    folder, name = posixpath.split(path)
    stem, dot, end = name.rpartition(".")
    for tail in _TAILS:
        yield posixpath.join(folder, name + tail)
    for tail in _TAILS:
        for one in (f"{tail[1:]}{name}", f".{tail[1:]}{name}", f"{name.removeprefix('.')}{tail}"):
            yield posixpath.join(folder, one)
        if stem:  # compose.override.example.yaml
            yield posixpath.join(folder, f"{stem}{tail}{dot}{end}")
