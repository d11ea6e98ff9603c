"""`.gitattributes`: which line endings a checkout gives a file."""

from __future__ import annotations

import fnmatch
import posixpath
from dataclasses import dataclass


@dataclass(frozen=True)
class Attributes:
    """The lines of a `.gitattributes` file, in order."""

    lines: tuple[tuple[str, tuple[str, ...]], ...]

    def pins_lf(self, path: str) -> bool:
        """Whether a checkout of `path` has LF on every system."""
        pinned = False
        for pattern, words in self.lines:
            name = path if "/" in pattern else posixpath.basename(path)
            if fnmatch.fnmatch(name, pattern.lstrip("/")):
                pinned = "eol=lf" in words or (pinned and "eol=crlf" not in words)
                pinned = pinned or "-text" in words or "binary" in words
        return pinned


def parse(text: str) -> Attributes:
    """Read the file."""
    rows = [
        line.split()
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    return Attributes(tuple((row[0], tuple(row[1:])) for row in rows))
