"""How far a backup is: bytes, share and time left, said from time to time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.container.report import Report

SAY_EVERY = 5.0  # seconds
MOST = 0.99  # an estimate never says that it is done
LEAST = 0.01  # of less nothing can be foretold: it may only wait for a lock


@dataclass(slots=True)
class Progress:
    """Called with the bytes that were written so far.

    `size` is what the source holds, and `ratio` how much of it is written in the end, as the last
    backup had it. Where the dumping program's own count can be seen (`raw`), the share comes from
    that: how well the data packs then does not matter.
    """

    report: Report
    alias: str
    size: int = 0
    ratio: float = 0.4
    raw_ratio: float = 1.0
    what: str = "written"
    raw: Callable[[], int] | None = None
    seen: int = 0
    _began: float = field(default_factory=time.monotonic)
    _at: float = field(default_factory=time.monotonic)

    def __call__(self, count: int) -> None:
        """Take the count in, and say a line when it is time."""
        if self.raw is not None:
            self.seen = self.raw() or self.seen
        now = time.monotonic()
        if now - self._at < SAY_EVERY:
            return
        self._at = now
        share = self._share(count)
        text, more = f"{megabytes(count)} {self.what}", {}
        if share >= LEAST:
            left = (now - self._began) * (1 / share - 1)
            text += f", {share:.0%}, about {duration(left)} left"
            more = {"share": round(share, 3), "left": round(left, 1)}
        self.report.stage("backup", self.alias, text, bytes=count, **more)

    def _share(self, count: int) -> float:
        done, all_of_it = (
            (self.seen, self.size * self.raw_ratio)
            if self.seen
            else (count, self.size * self.ratio)
        )
        return min(MOST, done / all_of_it) if all_of_it > 0 else 0.0


def megabytes(count: int) -> str:
    """Write a size for people."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def duration(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
