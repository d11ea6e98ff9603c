"""Whether a command can be started, asked before anything is done for it: the shell's 126 and 127.

What only the kernel can tell shows at the end; what a look at the file tells shows at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from tidegate.errors import CommandMissing, CommandRefused, TidegateError

NEXT = "correct the command after `--` (CMD in the Dockerfile, command: in Compose)"
UNTOUCHED = "It is what tidegate would become in the end; nothing was touched."


def refuse_unstartable(name: str, environ: Mapping[str, str]) -> None:
    """Raise the error of a command that can't be started."""
    problem = why_not(name, environ.get("PATH", os.defpath))
    if problem is not None:
        raise problem


def why_not(name: str, path: str) -> TidegateError | None:
    """Return why a command can't be started, or None where nothing speaks against it."""
    there = [name] if "/" in name else [os.path.join(one or ".", name) for one in path.split(":")]
    there = [one for one in there if os.path.exists(one)]
    files = [one for one in there if os.path.isfile(one)]
    if not files:
        if there and "/" in name:
            return CommandRefused(f"{name} is a folder, not a program", UNTOUCHED, NEXT)
        what = f"{name} is not there" if "/" in name else f"no folder of PATH holds {name}"
        return CommandMissing(f"{what}: it can't be started", UNTOUCHED, NEXT)
    good = [one for one in files if os.access(one, os.X_OK)]
    if not good:
        return CommandRefused(
            f"{files[0]} may not be run by this user", UNTOUCHED,
            f"make it executable (chmod +x {files[0]}), or {NEXT}",
        )  # fmt: skip
    return _first_line(good[0])


def _first_line(path: str) -> TidegateError | None:
    try:
        with open(path, "rb") as file:
            head = file.read(256)
    except OSError:
        return None  # run without being read: the kernel may
    if head[:2] != b"#!":
        if not head or b"\0" in head or head[:1] > b"~":
            return None
        return CommandRefused(
            f"{path} is text, and its first line names no interpreter", UNTOUCHED,
            f"begin it with a line such as #!/bin/sh, or start it by name: sh {path}",
        )  # fmt: skip
    line = head[2:].split(b"\n")[0]
    interpreter = os.fsdecode(line.strip(b" \t").split(b" ")[0].split(b"\t")[0])
    if interpreter.endswith("\r") and not os.path.exists(interpreter):
        return CommandMissing(
            f"{path} ends its lines as Windows does, so its interpreter is not found", UNTOUCHED,
            f"convert it: sed -i 's/\\r$//' {path}; and keep it so with a .gitattributes",
        )  # fmt: skip
    if interpreter and not os.path.exists(interpreter):
        return CommandMissing(
            f"{path} asks for {interpreter}, which is not here", UNTOUCHED,
            "correct its first line, or install that program",
        )  # fmt: skip
    return None
