"""What is known of one statement that ran: the values that the events are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

MANY = "ran many times: only its first runs were looked at closely"


@dataclass(slots=True)
class Record:
    """One statement, as it was seen to act.

    `locks` are those that it newly took, `held` those that its transaction had before; both name
    only relations that were there before the rehearsal. `transaction` is the same for statements
    that ran in one. `seen` says by which layer: `hook`, `event trigger` or `counters`.
    """

    step: str
    sql: str
    seconds: float = 0.0
    operation: str = ""
    describe: str = ""
    path: str = ""
    line: int = 0
    locks: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)
    rewrites: list[str] = field(default_factory=list)
    scans: list[str] = field(default_factory=list)
    written: dict[str, list[int]] = field(default_factory=dict)  # inserted, updated, deleted
    read: dict[str, int] = field(default_factory=dict)
    wal: int = 0
    count: int = 1
    transaction: str = ""
    seen: str = "hook"
    blind: str = ""  # what could not be seen of it, and why
    error: str = ""

    def counting(self) -> Record:
        """Return an empty record of the same statement, for its many runs."""
        return Record(self.step, self.sql, operation=self.operation, describe=self.describe,
                      path=self.path, line=self.line, count=0,
                      blind=MANY)  # fmt: skip

    def document(self) -> dict[str, Any]:
        """Return the event."""
        return {"event": "statement", **asdict(self)}
