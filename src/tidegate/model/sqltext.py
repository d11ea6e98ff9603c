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


def without_values(sql: str) -> str:
    """Return one line of SQL in which every string is an ellipsis; at most LONGEST characters.

    A data migration writes what is nobody's business into its literals, and a password of a role
    is one of them. What can't be told apart is left out to the end of the text.
    """

    def shown(found: re.Match[str]) -> str:
        if found["name"] or found["parameter"]:
            return found[0]
        if found["comment"]:
            return " "
        if found["dollar"]:
            return "$$…$$"
        return "'…'"

    line = " ".join(_PARTS.sub(shown, sql).split())
    return line if len(line) <= LONGEST else line[:LONGEST] + " …"
