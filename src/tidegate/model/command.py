"""A command as a value: a list that can be printed, compared, and only then run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.model.masking import hide


@dataclass(frozen=True, slots=True)
class Command:
    """A command as a value. `secrets` never appear in what is shown of it."""

    argv: tuple[str, ...]
    cwd: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)  # added to ours
    secrets: tuple[str, ...] = ()

    def shown(self) -> str:
        """Return the line that a person could type, secrets masked."""
        return redacted(line(self.argv), self.secrets)


def redacted(text: str, secrets: Sequence[str]) -> str:
    """Return `text` with each secret masked."""
    return hide(text, secrets)


def line(argv: Sequence[str]) -> str:
    """Return the line that this machine's shell reads as `argv`."""
    return windows_line(argv) if os.name == "nt" else shlex.join(argv)


_PLAIN = re.compile(r"[\w./\\:=+%-]+")
_CUT = re.compile(r"-[^-]\w*[.:]")  # PowerShell takes `-a.b` for a parameter and a value


def windows_line(argv: Sequence[str]) -> str:
    """Return the line that PowerShell reads as `argv`: single quotes keep everything as it is.

    A comma makes a list of what should be one word, and a quoted word alone is no command.
    """
    words = [
        word
        if _PLAIN.fullmatch(word) and not _CUT.match(word)
        else "'" + word.replace("'", "''") + "'"
        for word in argv
    ]
    return " ".join(["&", *words] if words and words[0].startswith("'") else words)
