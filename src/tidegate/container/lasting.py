"""Says that a step still runs: how long already, and what it sent last. A long one is no hung one.

Who waits for a lock is told by `patience`; this is for the work itself, on every database.
"""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager

from tidegate.container.beside import beside
from tidegate.container.report import Report, masked
from tidegate.contracts.framework import Applying
from tidegate.model.sqltext import outline

FIRST = 10.0  # seconds after which a step says so; then when it has run twice as long each time
TICK = 0.5


def said_while_it_lasts(
    report: Report, stage: str, applying: Applying
) -> AbstractContextManager[None]:
    """Tell of the step that runs, as long as this lasts."""
    return beside(lambda over: _tell(report, stage, applying, over))


def _tell(report: Report, stage: str, applying: Applying, over: threading.Event) -> None:
    began, due = 0.0, FIRST
    while not over.wait(TICK):
        if applying.started != began:
            began, due = applying.started, FIRST
        passed = time.monotonic() - began
        if not applying.step or passed < due:
            continue
        due = 2 * passed
        sql = masked(outline(applying.shown), report.secrets)
        text = f"runs for {passed:.0f} s{applying.place}" + (f"; sent last: {sql}" if sql else "")
        report.stage(stage, applying.step, text, running=round(passed, 1))
