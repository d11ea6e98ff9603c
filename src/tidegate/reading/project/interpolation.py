"""`$NAME`, `${NAME:-default}` and their kin, as Compose replaces them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Seen:
    """What an interpolation met: names without a value, and names that must have one."""

    unset: list[str] = field(default_factory=list)
    required: list[tuple[str, str]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)


def interpolate(text: str, environ: Mapping[str, str], seen: Seen | None = None) -> str:
    """Return `text` with its variables replaced; `$$` is a dollar."""
    seen = seen if seen is not None else Seen()
    out: list[str] = []
    index = 0
    while index < len(text):
        dollar = text.find("$", index)
        if dollar < 0:
            break
        out.append(text[index:dollar])
        piece, index = _one(text, dollar, environ, seen)
        out.append(piece)
    out.append(text[index:])
    return "".join(out)


def _one(text: str, at: int, environ: Mapping[str, str], seen: Seen) -> tuple[str, int]:
    """Return the replacement of the `$` at `at`, and the index after it."""
    following = text[at + 1 : at + 2]
    if following == "$":
        return "$", at + 2
    if following == "{":
        end = _closing(text, at + 1)
        if end < 0:
            seen.bad.append(text[at:])
            return text[at:], len(text)
        return _braced(text[at + 2 : end], environ, seen), end + 1
    name = _NAME.match(text, at + 1)
    if not name:
        return "$", at + 1
    return _plain(name[0], environ, seen), name.end()


def _plain(name: str, environ: Mapping[str, str], seen: Seen) -> str:
    seen.used.append(name)
    if name not in environ:
        seen.unset.append(name)
    return environ.get(name, "")


def _braced(inside: str, environ: Mapping[str, str], seen: Seen) -> str:
    name = _NAME.match(inside)
    if not name:
        seen.bad.append("${" + inside + "}")
        return ""
    operator, rest = _operator(inside[name.end() :])
    value = environ.get(name[0])
    if not operator:
        if inside != name[0]:
            seen.bad.append("${" + inside + "}")
            return ""
        return _plain(name[0], environ, seen)
    seen.used.append(name[0])
    there = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return interpolate(rest, environ, seen) if there else ""
    if there:
        return value or ""
    if operator.endswith("?"):
        seen.required.append((name[0], rest))
        return ""
    return interpolate(rest, environ, seen)


def _operator(rest: str) -> tuple[str, str]:
    for operator in (":-", ":?", ":+", "-", "?", "+"):
        if rest.startswith(operator):
            return operator, rest[len(operator) :]
    return "", rest


def _closing(text: str, opening: int) -> int:
    depth = 0
    for index in range(opening, len(text)):
        if text[index] == "{" and (index == opening or text[index - 1] == "$"):
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if not depth:
                return index
    return -1
