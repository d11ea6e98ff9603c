"""What a person sees of a backfill."""

from __future__ import annotations

import sys
import time

from tidegate.backfill.state import State


class Line:
    """Tells how far it got on standard error, at most every two seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, state: State) -> None:
        """Take in how far it got."""
        now = time.monotonic()
        if now - self._last < 2.0 and not state.finished:
            return
        self._last = now
        share = f"{min(100, state.rows * 100 // state.total)} %, " if state.total else ""
        left = "" if state.left is None or state.finished else f", about {state.left:.0f} s left"
        left = f"; waits: {state.waiting}" if state.waiting else left
        sys.stderr.write(f"backfill  {state.name[:60]}: {share}{state.rows:,} rows in "
                         f"{state.seconds:.0f} s{left}\n")  # fmt: skip
