"""SQL text as it may be shown and kept: without the values in it."""

from __future__ import annotations

import re

# Quoted identifiers stay; strings, dollar-quoted bodies and comments go.
_PARTS = re.compile(
    r"""(?P<name>"(?:[^"]|"")*")
      | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
      | (?P<string>'(?:[^']|'')*')
      | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<parameter>\$\d+)
      | (?P<open>['$].*\Z)""",
    re.VERBOSE | re.DOTALL,
)
LONGEST = 500


NUMBER = re.compile(r"""("(?:[^"]|"")*")|\b\d[\d_.]*(?:e[+-]?\d+)?\b""", re.IGNORECASE)


def without_values(sql: str) -> str:
    """Return one line of SQL in which every string is an ellipsis; at most LONGEST characters.

    A data migration writes what is nobody's business into its literals, and a password of a role
    is one of them. What can't be told apart is left out to the end of the text.
    """
    return _cut(without_strings(sql), LONGEST)


def outline(sql: str, most: int = 120) -> str:
    """Return what another session's SQL does, without any value of it: numbers are left out too."""
    return _cut(NUMBER.sub(lambda found: found[1] or "…", without_strings(sql)), most)


def without_strings(sql: str) -> str:
    """Return SQL in which every string is an ellipsis and every comment a space."""

    def shown(found: re.Match[str]) -> str:
        if found["name"] or found["parameter"]:
            return found[0]
        if found["comment"]:
            return " "
        if found["dollar"]:
            return "$$…$$"
        return "'…'"

    return _PARTS.sub(shown, sql)


def split(sql: str) -> list[str]:
    """Return the statements of a text, without comments and the insides of strings."""
    return [one.strip() for one in without_strings(sql).split(";") if one.strip()]


def opened(sql: str) -> list[str]:
    """Return the statements of a text as `split` does, and those in a DO block and its strings."""
    if any(re.match(r"DO\b", one, re.IGNORECASE) for one in split(sql)):
        return split(re.sub(r"\$\w*\$|'", " ", sql))
    return split(sql)


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most] + " …"
