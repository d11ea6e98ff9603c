"""Dockerfiles: instructions with their lines, stages, heredocs, build arguments."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from tidegate.model.finding import Place
from tidegate.reading.project.interpolation import interpolate

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_FLAG = re.compile(r"--([\w-]+)(?:=(\S*))?\s*")
_DIRECTIVE = re.compile(r"#\s*(escape|syntax|check)\s*=\s*(\S+)", re.I)


@dataclass(frozen=True)
class Instruction:
    """One instruction. `text` is what follows its name and flags, continuation lines joined.

    `words` is the exec (JSON) form where it is written so; `heredocs` the bodies behind it.
    """

    name: str
    text: str
    line: int
    end_line: int
    flags: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] | None = None
    heredocs: tuple[str, ...] = ()
    source: str = ""
    path: str = ""

    @property
    def place(self) -> Place:
        """Where it stands: an image may begin with the instructions of another Dockerfile."""
        return Place(self.path, self.line)

    @property
    def shell(self) -> str:
        """The text as a shell reads it: its lines are one command line, as they stand."""
        return self.text.replace("\n", "\\\n")

    def flag(self, name: str) -> str:
        """Return the value of `--name=`; empty where it is not given."""
        return next((value for key, value in self.flags if key == name), "")

    def options(self, name: str) -> list[str]:
        """Return every value of a flag that may be given again."""
        return [value for key, value in self.flags if key == name]


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next. `base` is an image or the name of an earlier stage."""

    base: str
    name: str
    line: int
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True)
class Dockerfile:
    """A parsed file."""

    path: str
    stages: tuple[Stage, ...]
    instructions: tuple[Instruction, ...] = ()
    escape: str = "\\"
    args: Mapping[str, str] = field(default_factory=dict)

    def stage(self, name: str) -> Stage | None:
        """Return a stage by its name or number; the last one for an empty name."""
        if not name:
            return self.stages[-1] if self.stages else None
        for one in reversed(self.stages):
            if one.name.lower() == name.lower():
                return one
        return self.stages[int(name)] if name.isdigit() and int(name) < len(self.stages) else None


def parse(text: str, path: str, build_args: Mapping[str, str] | None = None) -> Dockerfile:
    """Parse a Dockerfile. Never raises: what is no instruction is kept with its name."""
    lines = text.replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    instructions = _instructions(lines, escape, path)
    return _staged(path, instructions, escape, build_args or {})


def _escape(lines: list[str]) -> str:
    for line in lines:
        found = _DIRECTIVE.match(line)
        if not found:
            return "\\"
        if found[1].lower() == "escape":
            return found[2]
    return "\\"


def _instructions(lines: list[str], escape: str, path: str) -> list[Instruction]:
    out: list[Instruction] = []
    index = 0
    while index < len(lines):
        stripped = lines[index].strip()
        if not stripped or stripped.startswith("#"):
            index += 1
            continue
        begin = index
        joined, index = _joined(lines, index, escape)
        bodies: list[str] = []
        for found in _HEREDOC.finditer(joined) if _may_have_heredoc(joined) else ():
            body, index = _heredoc(lines, index, found[2])
            bodies.append(body)
        source = "\n".join(lines[begin:index])
        out.append(_instruction(joined, begin + 1, index, tuple(bodies), source, path))
    return out


def _may_have_heredoc(text: str) -> bool:
    return text[:5].upper().strip() in ("RUN", "COPY", "ADD") or text[:4].upper() in (
        "RUN ",
        "COPY",
        "ADD ",
    )


def _joined(lines: list[str], index: int, escape: str) -> tuple[str, int]:
    """Join continuation lines; newlines stay, so that a parser of shell sees the same lines."""
    parts: list[str] = []
    while index < len(lines):
        line = lines[index].rstrip()
        index += 1
        if parts and line.lstrip().startswith("#"):
            parts.append("")
            continue
        if parts and not line.strip():
            parts.append("")  # an empty line inside a continuation is passed over, with a warning
            continue
        if line.endswith(escape):
            parts.append(line[: -len(escape)])
            continue
        parts.append(line)
        break
    return "\n".join(parts), index


def _heredoc(lines: list[str], index: int, word: str) -> tuple[str, int]:
    body: list[str] = []
    while index < len(lines) and lines[index].strip() != word:
        body.append(lines[index])
        index += 1
    return "\n".join(body), index + 1


def _instruction(
    joined: str, line: int, end: int, bodies: tuple[str, ...], source: str, path: str
) -> Instruction:
    name, _, rest = joined.strip().partition(" ")
    if "\n" in name:
        name, _, more = name.partition("\n")
        rest = "\n" + more + rest
    flags: list[tuple[str, str]] = []
    while found := _FLAG.match(rest.lstrip()):
        flags.append((found[1], found[2] or ""))
        rest = rest.lstrip()[found.end() :]
    return Instruction(
        name.upper(),
        rest.strip() if "\n" not in rest else rest,
        line,
        end,
        tuple(flags),
        _json(rest),
        bodies,
        source,
        path,
    )


def _json(rest: str) -> tuple[str, ...] | None:
    text = " ".join(rest.split("\n")).strip()
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    good = isinstance(words, list) and all(isinstance(word, str) for word in words)
    return tuple(words) if good else None


def _staged(
    path: str, instructions: list[Instruction], escape: str, build_args: Mapping[str, str]
) -> Dockerfile:
    args: dict[str, str] = {}
    stages: list[Stage] = []
    for one in instructions:
        if one.name == "ARG" and not stages:
            for name, value in pairs(one.text).items():
                args[name] = build_args.get(name, interpolate(value or "", args))
        elif one.name == "FROM":
            words = interpolate(" ".join(one.text.split()), args).split()
            name = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
            stages.append(Stage(words[0] if words else "", name, one.line))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.base, last.name, last.line, (*last.instructions, one))
    return Dockerfile(path, tuple(stages), tuple(instructions), escape, args)


def pairs(text: str) -> dict[str, str | None]:
    """Return the names and values of ENV, ARG and LABEL, in both of their forms."""
    try:
        words = shlex.split(" ".join(text.split("\n")))
    except ValueError:
        words = text.split()
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:]) or None}
    out: dict[str, str | None] = {}
    for word in words:
        name, equals, value = word.partition("=")
        out[name] = value if equals else None
    return out
