"""Text for people: one paragraph a finding with the source it is about, then the summary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from tidegate.model.finding import Finding, Findings, Place

COLOURS = {"error": "\033[1;31m", "warning": "\033[1;33m", "info": "\033[1;36m"}
DIM, RESET = "\033[2m", "\033[0m"
LINES = 4  # of source shown at most
WIDTH = 120  # of a line of source; of a longer one what is around the place
BEFORE = 30


def render(found: Findings, colour: bool) -> str:
    """Return the report as text."""
    parts = ["\n".join(_lines(one, found.root, colour)) for one in found.findings]
    return "\n\n".join([*parts, found.summary] if found.summary else parts)


def _lines(one: Finding, root: str, colour: bool) -> list[str]:
    where = f"{one.place.path}:{one.place.line}" if one.place.line else one.place.path
    severity = f"{COLOURS.get(one.severity, '')}{one.severity}{RESET}" if colour else one.severity
    out = [f"{severity}  {one.rule}  {where}", *_excerpt(root, one.place, colour)]
    out.append(f"  {one.message}")
    out += [f"  also {place.path}:{place.line}  {place.note}".rstrip() for place in one.also]
    if one.predicts and one.severity != "info":
        out += [f"  prints: {one.predicts}", f"          {one.when}"]
    if one.remedy:
        first, *rest = one.remedy.splitlines()
        out += [f"  next: {first}", *(f"        {line}" for line in rest)]
    return out


@lru_cache(maxsize=64)
def _source(root: str, path: str) -> Sequence[str]:
    try:
        return Path(root, path).read_text("utf-8-sig", "replace").splitlines()
    except OSError:
        return ()


def _excerpt(root: str, place: Place, colour: bool) -> list[str]:
    """Return the lines of source, carets under a place that lies on one line."""
    source = _source(root, place.path) if place.line and place.end_line else ()
    shown = list(source[place.line - 1 : place.end_line])
    if not shown:
        return []
    cut, shown = len(shown) > LINES, shown[:LINES]
    width = len(str(place.line + len(shown) - 1))
    alone = place.line == place.end_line and place.column > 0
    start, end = _columns(shown[0], place) if alone else (0, 0)
    out = []
    for number, line in enumerate(shown, place.line):
        line, moved = _around(line, start, end)
        text = f"  {number:>{width}} | {line}".rstrip()
        out.append(f"{DIM}{text}{RESET}" if colour else text)
    if cut:
        out.append(f"  {'':>{width}} | ...")
    elif alone:
        start, end = start - moved, min(end - moved, len(line))
        indent = "".join("\t" if letter == "\t" else " " for letter in line[:start])
        out.append(f"  {'':>{width}} | {indent}{'^' * max(end - start, 1)}")
    return out


def _columns(line: str, place: Place) -> tuple[int, int]:
    """Return where a place begins and ends, in letters."""
    start = len(line.encode()[: place.column - 1].decode(errors="ignore"))
    end = len(line.encode()[: place.end_column - 1].decode(errors="ignore"))
    return start, end


def _around(line: str, start: int, end: int) -> tuple[str, int]:
    """Return a line, what is around a place of it where it is long, and by how much that moved."""
    if len(line) <= WIDTH:
        return line, 0
    first = max(0, min(start - BEFORE, len(line) - WIDTH)) if end > WIDTH else 0
    shown = line[first : first + WIDTH]
    head = "..." if first else ""
    tail = "..." if first + WIDTH < len(line) else ""
    return f"{head}{shown}{tail}", first - len(head)
