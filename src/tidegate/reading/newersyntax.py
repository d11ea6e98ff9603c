"""Python written for a newer Python than the one that runs us: what can be read of it.

A project's image often has a newer Python than the machine that looks at its files.
Lines keep their numbers; columns may move on a line that is rewritten.
"""

from __future__ import annotations

import ast
import re

_UNBRACKETED = re.compile(r"^(\s*except\s+)(?!\*)([^()\[\]:#]+,[^()\[\]:#]+)(:.*)$")
_ROUNDS = 50


def parse(text: str, gaps: bool = False) -> ast.Module:
    """Return the syntax of a file; raises SyntaxError as `ast.parse` does where nothing helps.

    `gaps` leaves out the functions and statements of blocks that this Python has no words for.
    """
    lines: list[str] = []
    for _ in range(_ROUNDS):
        try:
            return ast.parse("\n".join(lines) if lines else text)
        except SyntaxError as error:
            lines = lines or text.replace("\r\n", "\n").split("\n")
            at = (error.lineno or 0) - 1
            done = 0 <= at < len(lines) and (
                _bracketed(lines, at) or (gaps and _left_out(lines, at))
            )
            if not done:
                raise
    return ast.parse("\n".join(lines))


def _bracketed(lines: list[str], at: int) -> bool:
    """`except A, B:` is what 3.14 lets people write for `except (A, B):`."""
    found = _UNBRACKETED.match(lines[at])
    if found is None:
        return False
    lines[at] = f"{found[1]}({found[2].rstrip()}){found[3]}"
    return True


def _left_out(lines: list[str], at: int) -> bool:
    """Take out the function around a line."""
    depth = _indent(lines[at])
    start = at
    while not re.match(r"\s*(async\s+)?def\s", lines[start]) or (
        start != at and _indent(lines[start]) >= depth
    ):
        if start != at and lines[start].strip():
            depth = min(depth, _indent(lines[start]))
        start -= 1
        if start < 0 or not depth:
            return False
    margin = _indent(lines[start])
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > margin):
        end += 1
    lines[start:end] = [" " * margin + "def _(): pass", *[""] * (end - start - 1)]
    return True


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
