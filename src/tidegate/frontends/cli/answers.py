"""The answers that `make` takes: as flags, which may come several times, or at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tidegate.errors import PolicyRefused, UsageProblem

FLAGS = {"--rename": "renames", "--drop": "dropped", "--no-rename": "dropped",
         "--filled": "filled"}  # fmt: skip


def taken(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Take the answers out of argv; return them and the rest. Raises UsageProblem."""
    renames: dict[str, str] = {}
    lists: dict[str, list[str]] = {"dropped": [], "filled": []}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in FLAGS:
            rest.append(word)
            continue
        value = value if equals else next(words, "")
        if not value:
            raise UsageProblem(f"{flag} has no value", "", f"see tidegate make --help for {flag}")
        if FLAGS[flag] != "renames":
            lists[FLAGS[flag]].append(value)
            continue
        old, _, new = value.partition("=")
        if not old or not new:
            raise UsageProblem(f"--rename {value} is not OLD=NEW", "", "write --rename note=remark")
        renames[old] = new
    at_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    return {"renames": renames, **lists, "ask": ask if at_terminal else None}, rest


def ask(lines: Sequence[str], choices: Sequence[str]) -> int:
    """Ask at the terminal; return the number of the choice. Raises PolicyRefused without one."""
    print("\n".join(lines), file=sys.stderr)
    for number, text in enumerate(choices, 1):
        print(f"  {number}  {text}", file=sys.stderr)
    while True:
        print("which? ", end="", file=sys.stderr, flush=True)
        word = sys.stdin.readline()
        if not word:
            raise PolicyRefused("there was no answer; no file was made", "", "answer by a number")
        if word.strip().isdigit() and 1 <= int(word) <= len(choices):
            return int(word) - 1
