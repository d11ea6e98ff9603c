"""`.dockerignore` and `.gitignore`: which paths a pattern file leaves out."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """One line: its text without `!`, and where it stands."""

    text: str
    line: int
    keeps: bool = False


@dataclass(frozen=True)
class Ignore:
    """The patterns of a file in order; the last one that matches decides."""

    patterns: tuple[Pattern, ...]
    path: str = ""
    git: bool = False

    def decisive(self, path: str) -> Pattern | None:
        """Return the pattern that leaves `path` out, or None."""
        found: Pattern | None = None
        for one in self.patterns:
            if _expression(one.text, self.git).match(path):
                found = None if one.keeps else one
        return found

    def ignores(self, path: str) -> bool:
        """Whether `path`, relative to the file's folder, is left out."""
        return self.decisive(path) is not None


def parse(text: str, path: str, git: bool = False) -> Ignore:
    """Read a pattern file."""
    patterns = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        keeps = stripped.startswith("!")
        patterns.append(Pattern(stripped.lstrip("!").strip(), number, keeps))
    return Ignore(tuple(patterns), path, git)


@functools.lru_cache(maxsize=1024)
def _expression(pattern: str, git: bool) -> re.Pattern[str]:
    """A pattern matches the path itself or a folder above it.

    Docker anchors each pattern at the context's root; git only those with a slash inside.
    """
    anchored = not git or "/" in pattern.rstrip("/")
    text = pattern.strip("/")
    if text.startswith("./"):
        text = text[2:]
    out, index = "", 0
    while index < len(text):
        if text.startswith("**/", index):
            out, index = out + "(?:.*/)?", index + 3
        elif text.startswith("**", index):
            out, index = out + ".*", index + 2
        elif text[index] == "*":
            out, index = out + "[^/]*", index + 1
        elif text[index] == "?":
            out, index = out + "[^/]", index + 1
        elif text[index] == "[" and "]" in text[index:]:
            end = text.index("]", index)
            out, index = out + text[index : end + 1].replace("[!", "[^"), end + 1
        else:
            out, index = out + re.escape(text[index]), index + 1
    if out in ("", re.escape(".")):
        out = ".*"
    return re.compile(("" if anchored else "(?:.*/)?") + out + r"(?:/.*)?$", re.S)
