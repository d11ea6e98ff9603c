"""How far a backfill got, and the table that keeps it."""

from __future__ import annotations

from dataclasses import dataclass

NOTES = "tidegate_backfill"


@dataclass(slots=True)
class State:
    """How far it got. `total` is the server's estimate of the table's rows; 0: not known."""

    name: str
    rows: int = 0
    batches: int = 0
    last: object = None
    total: int = 0
    seconds: float = 0.0
    size: int = 0
    finished: bool = False
    waiting: str = ""  # for what, between two batches

    @property
    def left(self) -> float | None:
        """Seconds that are left at the pace so far."""
        if not self.rows or not self.total:
            return None
        return max(0.0, (self.total - self.rows) * self.seconds / self.rows)


def named(table: str, set: str) -> str:
    """Return what a run is called where it is given no name: the table and what is set."""
    return f"{table}: {set}"[:200]


def kind_of(value: object) -> str:
    """Return how a key is kept in the note."""
    return "int" if isinstance(value, int) else "text"


def quoted(value: object) -> str:
    """Return a key as SQL."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
