"""A plan of mends as a value, and as people read it: a diff without secrets."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

_SECRET = re.compile(r"((?:PASS|SECRET|TOKEN|KEY)\w*['\"]?\s*[:=]\s*)(['\"]?)([^'\"\s]+)", re.I)
_DEFAULT = re.compile(r"(\$\{\w*(?:PASS|SECRET|TOKEN|KEY)\w*:?[-=+])[^}]+(?=\})", re.I)
_IN_URL = re.compile(r"(://[^:/@\s]*:)([^@\s]+)(@)")


@dataclass
class Plan:
    """What would be written: old and new text by file, files to make executable, commands."""

    changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    executable: list[str] = field(default_factory=list)
    commands: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rules: list[tuple[str, str]] = field(default_factory=list)
    mends: frozenset[tuple[str, str, str]] = frozenset()  # the findings that go by it

    def shown(self) -> list[str]:
        """Return the plan as people read it; values of secrets are masked."""
        out: list[str] = []
        for path, (old, new) in self.changes.items():
            for line in difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=2
            ):
                out.append(masked(line))
            if old.replace("\r\n", "\n") == new and "\r\n" in old:
                out.append(f"# {path}: every line ends in LF in place of CR LF")
        out += [f"chmod +x {path}" for path in self.executable]
        out += ["run: " + " ".join(argv) for _, argv in self.commands]
        return out


def masked(line: str) -> str:
    """Return a line of a diff without secrets; a reference such as ${NAME} stays."""
    line = _DEFAULT.sub(r"\1***", line)

    def hide(match: re.Match[str]) -> str:
        inside = line.rfind("${", 0, match.start()) > line.rfind("}", 0, match.start())
        plain = "${" in match[3] or (inside and match[3].startswith("?"))
        return match[0] if plain else f"{match[1]}{match[2]}***"

    return _IN_URL.sub(
        lambda m: m[0] if "${" in m[2] else f"{m[1]}***{m[3]}", _SECRET.sub(hide, line)
    )
