"""What a statement costs on the target: the work that was seen, times the target's own sizes.

The scratch tables are small or empty: which lock a statement takes, and whether it scans or
rewrites, doesn't depend on the rows; how long that lasts does, and is estimated here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        return f"{count(self.rows)} rows ({amount(self.bytes)})"

    @property
    def lasting(self) -> str:
        """How long that takes, in words."""
        if self.seconds is None:
            return "as long as that takes"
        return f"for about {duration(self.seconds)}"


def impacts(statement: Event, sizes: Sizes | None) -> list[Impact]:
    """Return the work of one statement on tables of the target. `sizes` None: not known."""
    if statement["sql"].lstrip()[:8].upper() == "TRUNCATE":
        return []  # it gives the table a new file, and reads nothing of the old
    modes = strongest(statement)
    out = []
    rewritten = [name for name in statement["rewrites"] if _is_table(name, statement)]
    for table in rewritten:
        out.append(_impact(table, "rewrite", modes.get(table, ""), sizes))
    for table in statement["scans"]:
        if table not in rewritten:
            out.append(_impact(table, _kind_of_scan(statement["sql"]), modes.get(table, ""), sizes))
    return out


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


def summary(statement: Event, sizes: Sizes | None) -> str:
    """Return one line: what the statement does to tables of the target."""
    if statement["error"]:
        return f"failed: {statement['error']}"
    parts = []
    for one in impacts(statement, sizes):
        word = {"rewrite": "rewrites", "index": "reads for an index", "scan": "scans",
                "foreign key": "checks"}[one.work]  # fmt: skip
        who = f"; {one.blocks} wait {one.lasting}" if one.blocks else ""
        parts.append(f"{word} {one.table}, {one.size}, under {one.mode or 'no lock of its own'}"
                     f"{who}")  # fmt: skip
    if not parts:
        for table, (inserted, updated, deleted) in statement["written"].items():
            words = zip(
                ("inserts", "updates", "deletes"), (inserted, updated, deleted), strict=True
            )
            parts.append(f"{', '.join(f'{w} {n}' for w, n in words if n)} rows of {table}")
    if not parts and any(lock["mode"] in BLOCKS_WRITES for lock in statement["locks"]):
        parts.append("metadata only")
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
