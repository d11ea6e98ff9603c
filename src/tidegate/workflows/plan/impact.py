"""What a statement costs on the target: the work that was seen, times the target's own sizes.

The scratch tables are small or empty: which lock a statement takes, and whether it scans or
rewrites, doesn't depend on the rows; how long that lasts does, and is estimated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidegate.databases.pgclasses import changes_schema
from tidegate.model.words import counted
from tidegate.workflows.plan.verbs import truncated

Event = dict[str, Any]
Sizes = dict[str, dict[str, int]]

# Rows and bytes a second of one core with warm caches; a cold disk is slower.
RATES = {
    "scan": (10e6, 400e6),
    "foreign key": (3e6, 200e6),
    "index": (1.5e6, 150e6),
    "rewrite": (0.4e6, 60e6),
}
NOTICED = 0.2  # seconds of waiting that nobody asks about
TOO_LONG = 2.0  # the lock budget: what waits longer is an outage

BLOCKS_READS = ("ACCESS EXCLUSIVE",)
BLOCKS_WRITES = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
STRENGTH = ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE",
            "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Impact:
    """One statement's work on one table. `seconds` is None where the size is not known."""

    table: str
    work: str  # `scan`, `foreign key`, `index` or `rewrite`
    mode: str  # the strongest lock on it meanwhile, or empty
    rows: int | None
    bytes: int
    seconds: float | None
    parts: int = 0  # of a partitioned table: the work is on them, one after the other

    @property
    def blocks(self) -> str:
        """Who waits meanwhile: `reads and writes`, `writes`, or nobody."""
        if self.mode in BLOCKS_READS:
            return "reads and writes"
        return "writes" if self.mode in BLOCKS_WRITES else ""

    @property
    def severity(self) -> str:
        """Severity by what the application would feel."""
        if self.seconds is None:
            return "warning"
        if self.rows == 0 or self.seconds < NOTICED:
            return "info"
        return "warning" if self.seconds < TOO_LONG else "error"

    @property
    def size(self) -> str:
        """The table's size in words."""
        if self.rows is None:
            return "a size that is not known"
        parts = f" in {counted(self.parts, 'partition')}" if self.parts else ""
        return f"{count(self.rows)} rows{parts} ({amount(self.bytes)})"

    @property
    def lasting(self) -> str:
        """How long that takes, in words."""
        if self.seconds is None:
            return "as long as that takes"
        return f"for about {duration(self.seconds)}"


def impacts(
    statement: Event, sizes: Sizes | None, parents: Mapping[str, str] | None = None
) -> list[Impact]:
    """Return the work of one statement on tables of the target. `sizes` None: not known.

    `parents` names the partitioned table of each partition: its partitions count as one table.
    """
    modes = strongest(statement)
    emptied = truncated(statement["sql"])  # those get a new file, and nothing of the old is read
    out = []
    rewritten = [name for name in statement["rewrites"] if _is_table(name, statement)
                 and name.rpartition(".")[2] not in emptied]  # fmt: skip
    for table in rewritten:
        out.append(_impact(table, "rewrite", modes.get(table, ""), sizes))
    for table in statement["scans"]:
        if table not in statement["rewrites"]:
            out.append(_impact(table, _kind_of_scan(statement["sql"]), modes.get(table, ""), sizes))
    return _together(out, parents or {})


def _together(found: Iterable[Impact], parents: Mapping[str, str]) -> list[Impact]:
    """Put partitions of one table together: nobody gets to any of them until the last is done."""
    out: dict[tuple[str, str, str], Impact] = {}
    for one in found:
        name = parents.get(one.table, one.table)
        key = (name, one.work, one.mode)
        known = out.get(key)
        if known is None:
            out[key] = replace(one, table=name, parts=1) if name != one.table else one
        else:
            out[key] = replace(
                known,
                parts=known.parts + 1,
                rows=None if known.rows is None or one.rows is None else known.rows + one.rows,
                bytes=known.bytes + one.bytes,
                seconds=None if known.seconds is None or one.seconds is None
                else known.seconds + one.seconds,
            )  # fmt: skip
    return list(out.values())


def _is_table(name: str, statement: Event) -> bool:
    kinds = {lock["was"]: lock["kind"] for lock in statement["locks"] + statement["held"]}
    return kinds.get(name, "table") in ("table", "materialized view")


def _kind_of_scan(sql: str) -> str:
    words = sql.upper()
    if "FOREIGN KEY" in words or " REFERENCES " in words:
        return "foreign key"
    building = ("CREATE INDEX", "CREATE UNIQUE INDEX", " UNIQUE ", " UNIQUE(", "PRIMARY KEY",
                " EXCLUDE ", "REINDEX")  # fmt: skip
    return "index" if any(word in words for word in building) else "scan"


def _impact(table: str, work: str, mode: str, sizes: Sizes | None) -> Impact:
    size = sizes.get(table) if sizes is not None else None
    if size is None:
        return Impact(table, work, mode, None, 0, None)
    size_bytes = size["bytes"] + (size["index_bytes"] if work == "rewrite" else 0)
    per_row, per_byte = RATES[work]
    seconds = max(size["rows"] / per_row, size_bytes / per_byte)
    return Impact(table, work, mode, size["rows"], size_bytes, seconds)


def strongest(statement: Event) -> dict[str, str]:
    """Return the strongest lock on each relation while the statement runs, by the target's name."""
    best: dict[str, str] = {}
    for lock in statement["locks"] + statement["held"]:
        name = lock["was"]
        if name not in best or STRENGTH.index(lock["mode"]) > STRENGTH.index(best[name]):
            best[name] = lock["mode"]
    return best


def summary(statement: Event, work: Iterable[Impact]) -> str:
    """Return one line: what the statement does to tables of the target."""
    if statement["error"]:
        return f"failed: {statement['error']}"
    parts = []
    for one in work:
        word = {"rewrite": "rewrites", "index": "reads for an index", "scan": "scans",
                "foreign key": "checks"}[one.work]  # fmt: skip
        who = f"; {one.blocks} wait {one.lasting}" if one.blocks else ""
        taken = {lock["mode"] for lock in statement["locks"] if lock["was"] == one.table}
        before = "" if one.mode in taken or not one.mode else (
            ", which its transaction holds from before")  # fmt: skip
        parts.append(f"{word} {one.table}, {one.size}, under {one.mode or 'no lock of its own'}"
                     f"{before}{who}")  # fmt: skip
    if not parts:
        for table, (inserted, updated, deleted) in statement["written"].items():
            words = zip(
                ("inserts", "updates", "deletes"), (inserted, updated, deleted), strict=True
            )
            done = ", ".join(f"{w} {counted(n, 'row')}" for w, n in words if n)
            first = " in its first runs" if statement["count"] > 1 and statement["blind"] else ""
            parts.append(f"{done} of {table}{first}")
    if not parts and any(lock["mode"] in BLOCKS_WRITES for lock in statement["locks"]):
        parts.append("metadata only")
    elif not parts and changes_schema(statement["sql"]):
        held = [f"{lock['mode']} {lock['relation']}" for lock in statement["held"]
                if lock["mode"] in BLOCKS_WRITES and lock["kind"] == "table"
                and lock["relation"].rpartition(".")[2] in statement["sql"]]  # fmt: skip
        if held:
            before = f"under {', '.join(held)}, which its transaction holds from before"
            parts.append(f"metadata only, {before}")
    return "; ".join(parts)


def count(number: int) -> str:
    """Return a number as people write it."""
    return f"{number:,}"


def amount(size: int) -> str:
    """Return bytes in words."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} B"


def duration(seconds: float) -> str:
    """Return seconds in words, no more exact than an estimate is."""
    if seconds < 1:
        return f"{max(10, round(seconds * 100) * 10)} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
