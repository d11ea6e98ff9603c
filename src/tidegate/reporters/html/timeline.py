"""Which table is locked how strongly by which step, from the statement to the transaction's end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Any

LEFT, TOP, ROW = 190, 46, 30  # pixels
FULL, NARROW, WIDE = 1030, 22, 72  # of the page, and of one statement
LETTER, LONGEST = 7.4, 46  # pixels of a letter; letters of a step's name
BLOCKING = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE")


@dataclass(frozen=True, slots=True)
class Bar:
    """One lock on one table, over the statements `first` to `last`."""

    table: str
    mode: str
    first: int
    last: int
    taken_by: str

    @property
    def colour(self) -> str:
        """The class of its strength."""
        if self.mode == "ACCESS EXCLUSIVE":
            return "ae"
        return "block" if self.mode in BLOCKING else "weak"


def timeline(plan: dict[str, Any]) -> str:
    """Return the section, or nothing where no table that is there already is locked."""
    cells, bands = _cells(plan)
    bands = _told_apart(bands)
    bars = _bars(cells)
    tables = list(dict.fromkeys(bar.table for bar in bars))
    if not tables:
        return ""
    needed = max(_room(name) / (last - first + 1) for name, first, last in bands)
    cell = max(NARROW, min(max(WIDE, ceil(needed)), (FULL - LEFT) // len(cells)))
    slanted = needed > cell
    longest = max(len(_short(name)) for name, _, _ in bands)
    above = int(longest * LETTER / 2) if slanted else 0
    width = LEFT + len(cells) * cell + 20
    if slanted:
        width = max(width, *(LEFT + first * cell + ceil(_room(name)) for name, first, _ in bands))
    height = TOP + len(tables) * ROW + 8
    parts = [_band(*band, cell, height, slanted) for band in bands]
    parts += [_label(number, table, width) for number, table in enumerate(tables)]
    parts += [_bar(bar, tables.index(bar.table), cell) for bar in bars]
    parts += _marks(cells, tables, cell)
    return (
        '<h2>Locks on each table</h2>\n<div class="card"><div class="scroll">'
        f'<svg width="{width}" height="{height + above}" viewBox="0 {-above} {width} '
        f'{height + above}" role="img" '
        'aria-label="which step locks which table, and until when">'
        f"{''.join(parts)}</svg></div>{_legend()}</div>"
    )


def _cells(plan: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[str, int, int]]]:
    """Return the statements that touch tables, in order, and each step's part of them."""
    cells: list[dict[str, Any]] = []
    bands: list[tuple[str, int, int]] = []
    for step in plan["steps"]:
        first = len(cells)
        cells += [one for one in step["statements"] if _tables(one) or one["held"]]
        if len(cells) > first:
            bands.append((step["id"], first, len(cells) - 1))
    return cells, bands


def _tables(statement: dict[str, Any]) -> list[dict[str, Any]]:
    weak = ("ACCESS SHARE", "ROW SHARE")
    return [
        lock
        for lock in statement["locks"]
        if lock["kind"] in ("table", "materialized view") and lock["mode"] not in weak
    ]


def _bars(cells: list[dict[str, Any]]) -> list[Bar]:
    """Return each lock once, strongest last, so that it lies on top."""
    bars = []
    for first, statement in enumerate(cells):
        last = first
        while (
            statement["transaction"]
            and last + 1 < len(cells)
            and (cells[last + 1]["transaction"] == statement["transaction"])
        ):
            last += 1
        for lock in _tables(statement):
            bars.append(Bar(lock["was"], lock["mode"], first, last, statement["sql"]))
    order = ("weak", "block", "ae")
    return sorted(bars, key=lambda bar: order.index(bar.colour))


def _short(step: str) -> str:
    """Return the name that a band gets; it is whole up to LONGEST letters."""
    name = step.split(".")[-1]
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1].rstrip('_')}…"


def _room(step: str) -> float:
    return len(_short(step)) * LETTER + 8


def _band(step: str, first: int, last: int, cell: int, height: int, slanted: bool) -> str:
    x, width = LEFT + first * cell, (last - first + 1) * cell
    at = f'x="{x + 4}" y="36"'
    if slanted:
        at = f'x="{x + 8}" y="16" transform="rotate(-30 {x + 8} 16)"'
    return (
        f'<rect class="band" x="{x + 1}" y="20" width="{width - 2}" height="{height - 24}" rx="4"/>'
        f'<text class="soft" {at}>{escape(_short(step))}'
        f"<title>{escape(step)}</title></text>"
    )


def _told_apart(bands: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Give the app to names that several steps have: `0001_initial` says nothing."""
    counted = Counter(_short(name) for name, _, _ in bands)
    return [(name.replace(".", " ", 1) if counted[_short(name)] > 1 else name, first, last)
            for name, first, last in bands]  # fmt: skip


def _label(number: int, table: str, width: int) -> str:
    y = TOP + number * ROW
    shown = table if len(table) < 25 else table[:23] + "…"
    return (
        f'<line class="rule-line" x1="0" x2="{width}" y1="{y + ROW}" y2="{y + ROW}"/>'
        f'<text class="mono" x="0" y="{y + 20}">{escape(shown)}'
        f"<title>{escape(table)}</title></text>"
    )


def _bar(bar: Bar, row: int, cell: int) -> str:
    x, y = LEFT + bar.first * cell, TOP + row * ROW
    width = (bar.last - bar.first + 1) * cell
    title = f"{bar.mode} on {bar.table}: {' '.join(bar.taken_by.split())[:200]}"
    return (
        f'<rect class="{bar.colour}" x="{x + 3}" y="{y + 8}" width="{width - 6}" height="14" '
        f'rx="3"><title>{escape(title)}</title></rect>'
    )


def _marks(cells: list[dict[str, Any]], tables: list[str], cell: int) -> list[str]:
    """Return a mark where a statement reads or writes every row."""
    out = []
    for number, statement in enumerate(cells):
        for table in {*statement["scans"], *statement["rewrites"]}:
            if table not in tables:
                continue
            x, y = LEFT + number * cell + cell / 2, TOP + tables.index(table) * ROW + 15
            word = "writes every row anew" if table in statement["rewrites"] else "reads every row"
            size = 5 if table in statement["rewrites"] else 3.5
            out.append(f'<circle class="work" cx="{x}" cy="{y}" r="{size}">'
                       f"<title>{word} of {escape(table)}</title></circle>")  # fmt: skip
    return out


def _legend() -> str:
    entries = (("--ae", "ACCESS EXCLUSIVE: reads and writes wait"),
               ("--block", "SHARE and stronger: writes wait"),
               ("--weak", "weaker: the app goes on"))  # fmt: skip
    bars = "".join(f'<span><i style="background:var({name})"></i>{text}</span>'
                   for name, text in entries)  # fmt: skip
    return (
        f'<div class="legend">{bars}<span>○ reads every row, large ○ writes every row anew</span>'
        "<span>left to right: the statements in their order; a bar ends with its transaction"
        "</span></div>"
    )
