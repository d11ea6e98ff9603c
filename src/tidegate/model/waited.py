"""How long a step waited for locks, and behind whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.model.blocker import Blocker

MOST = 5  # sessions that are written down by name
LEAST = 0.001  # seconds that are worth a line


@dataclass(slots=True)
class Waited:
    """What one step waited for one lock, all attempts and the pauses between them together."""

    wanted: str
    seconds: float = 0.0
    behind: dict[tuple[int, str], str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """Return the machine's form, as it stands beside the locks in the ledger."""
        return {"wanted": self.wanted, "waited": round(self.seconds, 3),
                "behind": list(self.behind.values())}  # fmt: skip


class Waits:
    """What the steps of one run waited for."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, Waited]] = {}

    def add(self, step: str, seconds: float, blockers: Sequence[Blocker]) -> None:
        """Count it to the lock that the first of them did not give.

        Where nobody was seen it counts to the lock before it. A session is described as it was
        seen first.
        """
        known = self._of.setdefault(step, {})
        wanted = blockers[0].wanted if blockers else next(reversed(known), "a lock")
        one = known.setdefault(wanted, Waited(wanted))
        one.seconds += seconds
        for blocker in blockers:
            if len(one.behind) < MOST:
                one.behind.setdefault(blocker.key, blocker.sentence)

    def of(self, step: str) -> list[dict[str, object]]:
        """Return the waits of a step."""
        found = self._of.get(step, {}).values()
        return [one.document() for one in found if one.seconds >= LEAST]
