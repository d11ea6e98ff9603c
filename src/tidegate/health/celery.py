"""Celery: a worker that waits for the schema before it takes work, and shows that it lives.

`tidegate.health.celery.install(app)` adds both. The worker touches the file named by
TIDEGATE_HEALTH_FILE (/tmp/tidegate-worker) every few seconds from its own event loop; probe it
with `tidegate health --file /tmp/tidegate-worker`. Beat has no such steps: start it through
`tidegate boot --when-behind wait`, and probe it with `tidegate health --local`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from tidegate.container.health.checking import Health, Standing

FILE = "/tmp/tidegate-worker"
EVERY = 5.0  # seconds between two signs of life
PAUSE = 0.5


def install(app: Any, timeout: float = 60.0) -> None:
    """Add the bootstep to a Celery app; a worker gives up after `timeout` seconds."""
    from celery import bootsteps

    class Schema(bootsteps.StartStopStep):  # type: ignore[misc]
        """Waits in the worker's start, before the consumer; then shows signs of life."""

        requires = {"celery.worker.components:Timer"}

        def __init__(self, worker: Any, **options: Any) -> None:
            super().__init__(worker, **options)
            self.entry: Any = None

        def start(self, worker: Any) -> None:
            wait_for_schema(timeout)
            touch()
            self.entry = worker.timer.call_repeatedly(EVERY, touch)

        def stop(self, worker: Any) -> None:
            if self.entry is not None:
                self.entry.cancel()

    app.steps["worker"].add(Schema)


def touch() -> None:
    """Show that the worker's loop turns."""
    path = os.environ.get("TIDEGATE_HEALTH_FILE", FILE)
    with open(path, "a", encoding="utf-8"):
        os.utime(path)


def wait_for_schema(timeout: float, say: Callable[[str], None] | None = None) -> None:
    """Return when every step that the code needs is applied; end the process after `timeout`."""
    from celery.utils.log import get_logger

    tell = say or get_logger("tidegate").warning
    health = Health()
    until = time.monotonic() + timeout
    told = ""
    while True:
        found = health.answers()
        if all(one.ready for one in found):
            return
        text = "; ".join(map(_described, found))
        if text != told:
            told = text
            tell(f"tidegate: the worker waits for the schema: {text}")
        if time.monotonic() > until:
            raise SystemExit(f"tidegate: no schema within {timeout:g} s: {text}")
        time.sleep(PAUSE)


def _described(one: Standing) -> str:
    lacks = f", lacks {', '.join(one.missing[:5])}" if one.missing else ""
    return f"{one.alias} is {one.state}{lacks}{f' ({one.why})' if one.why else ''}"
