"""`--env-file` where the verb runs here: the file's variables, below those that are set already.

Compose reads its env files itself, with all their interpolation. Here only what every reader of
such files agrees about is read; a line that they understand differently is refused, not guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from tidegate.errors import UsageProblem

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)")
_PLAIN = re.compile(r"(.*?)(?:\s+#.*)?")
_CLOSED = re.compile(r"""(?P<quote>['"])(?P<text>.*)(?P=quote)\s*(?:#.*)?""")


def with_file(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the file's variables; the process gets them too."""
    if not path:
        return dict(environ)
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = read(file.read(), path)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise UsageProblem(
            f"--env-file {path} can't be read: {why}", "", "name a file of lines NAME=value"
        ) from None
    merged = {**found, **environ}
    os.environ.update({name: value for name, value in found.items() if name not in environ})
    return merged


def read(text: str, path: str) -> dict[str, str]:
    """Return the variables of a file's text."""
    out: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise _refused(path, number, "is not NAME=value", "correct the line")
        out[found[1]] = _value(found[2], path, number)
    return out


def _value(raw: str, path: str, number: int) -> str:
    quoted = _CLOSED.fullmatch(raw)
    if quoted and quoted["quote"] == "'":
        return quoted["text"]
    if raw[:1] in ("'", '"') and not quoted:
        raise _refused(path, number, "has a quote that is not closed", "write it on one line")
    plain = _PLAIN.fullmatch(raw)
    text = quoted["text"] if quoted else (plain[1] if plain else raw)
    if re.search(r"\$[A-Za-z_{(]|\\", text):
        raise _refused(
            path, number, "has a $ or a backslash, which readers of such files take differently",
            "put the value in single quotes, or set the variable in the shell",
        )  # fmt: skip
    return text


def _refused(path: str, number: int, why: str, next: str) -> UsageProblem:
    return UsageProblem(f"--env-file {path}: line {number} {why}", "", next)
