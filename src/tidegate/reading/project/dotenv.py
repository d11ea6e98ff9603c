"""`.env` files in their dialects: what Compose, python-dotenv, django-environ and docker run read.

The same line means different things to them: `A=pa$word` is `pa` to Compose and the whole to the
others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.reading.project.interpolation import Seen, interpolate

DIALECTS = ("compose", "python-dotenv", "django-environ", "docker")
_LINE = re.compile(
    r"\s*(?P<export>export\s+)?(?P<name>[\w.-]+)(?P<gap>\s*)(?P<equals>[=:])\s*(?P<rest>.*)", re.S
)


@dataclass(frozen=True)
class Variable:
    """One assignment: its value in the dialect that was asked for, and the text that stands there.

    `quote` is the quote around it or empty. `unset` are names that it refers to and nobody sets.
    """

    name: str
    value: str
    raw: str
    quote: str
    line: int
    unset: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


def read(
    text: str, dialect: str = "compose", environ: Mapping[str, str] | None = None
) -> dict[str, Variable]:
    """Return the assignments of a file; a later one wins. Odd lines are passed over."""
    known: dict[str, str] = dict(environ or {})
    out: dict[str, Variable] = {}
    offset = 0
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        line, start, number = lines[index], offset, index + 1
        offset += len(line) + 1
        index += 1
        match = _LINE.match(line.rstrip("\r"))
        if not match or line.lstrip().startswith("#") or not _accepted(match, dialect):
            continue
        rest, begin = match["rest"], start + match.start("rest")
        quote = rest[:1] if rest[:1] in ("'", '"') and dialect != "docker" else ""
        while quote and _end_of_quote(rest, quote) < 0 and index < len(lines):
            rest += "\n" + lines[index]
            offset += len(lines[index]) + 1
            index += 1
        variable = _variable(match["name"], rest, quote, number, begin, dialect, known)
        out[variable.name] = variable
        if variable.name not in (environ or {}):
            known[variable.name] = variable.value
    return out


def _accepted(match: re.Match[str], dialect: str) -> bool:
    if dialect == "docker":
        return not match["export"] and not match["gap"] and match["equals"] == "="
    if dialect == "django-environ":
        return not match["gap"] and match["equals"] == "="
    return match["equals"] == "=" or dialect == "compose"


def _end_of_quote(rest: str, quote: str) -> int:
    index = 1
    while index < len(rest):
        if rest[index] == "\\":
            index += 2
            continue
        if rest[index] == quote:
            return index
        index += 1
    return -1


def _variable(
    name: str, rest: str, quote: str, line: int, begin: int, dialect: str, known: Mapping[str, str]
) -> Variable:
    end = _end_of_quote(rest, quote) if quote else -1
    if quote and end > 0:
        raw = rest[1:end]
        span = (begin, begin + end + 1)
    else:
        quote = ""
        raw = rest if dialect in ("docker", "django-environ") else re.split(r"\s#", rest)[0]
        raw = raw.strip() if dialect != "docker" else raw
        span = (begin, begin + len(raw))
    seen = Seen()
    value = raw
    if quote == '"':
        value = value.replace('\\"', '"').replace("\\n", "\n")
    if dialect == "compose" and quote != "'":
        # A backslash keeps a dollar in Compose's own reader.
        value = interpolate(value.replace("\\$", "$$"), known, seen)
    elif dialect == "python-dotenv" and quote != "'":
        value = _braces_only(value, known, seen)
    return Variable(name, value, raw, quote, line, tuple(seen.unset), *span)


def _braces_only(value: str, known: Mapping[str, str], seen: Seen) -> str:
    """python-dotenv replaces `${NAME}` and leaves `$NAME` alone."""
    return re.sub(r"\$\{[^}]*\}", lambda match: interpolate(match[0], known, seen), value)
