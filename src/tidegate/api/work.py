"""What each function works with: settings from its keywords, a logger, errors of one tree."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tidegate.container.boot import Boot
from tidegate.container.gate import Gate, open_gate
from tidegate.container.report import Report, masked
from tidegate.container.running import settings_for
from tidegate.container.signals import Signals
from tidegate.errors import NotReady, RefusedForGood
from tidegate.model.readiness import Permanent, Transient


class Log(Report):
    """Tells the logger what the commands print."""

    def __init__(self) -> None:
        super().__init__()
        self._logger = logging.getLogger("tidegate")

    def stage(
        self, stage: str, subject: str, text: str, seconds: float | None = None, **more: object
    ) -> None:
        """Take one line."""
        line = f"{stage} {subject}{': ' if subject else ''}{text}"
        self._logger.info("%s", masked(line, self.secrets))

    def warn(self, text: str) -> None:
        """Take what is not as it should be."""
        self._logger.warning("%s", masked(text, self.secrets))


@contextmanager
def working(root: str | Path, **given: str | float | Sequence[str] | None) -> Iterator[Boot]:
    """Give what a command works with; turn what the databases raise into tidegate's errors."""
    began = time.monotonic()
    environ = dict(os.environ)
    argv: list[str] = []
    for name, value in given.items():
        if value is None or value == "" or value == () or value == []:
            continue
        words = [str(value)] if isinstance(value, str | int | float) else list(value)
        argv += ["--" + name.replace("_", "-"), (" " if name == "wait_for" else ",").join(words)]
    settings, _ = settings_for(str(root), environ, argv, tuple(given))
    try:
        yield Boot(Path(root), environ, settings, Log(), Signals(), began)
    except Permanent as error:
        raise RefusedForGood(error.what, error.meaning, error.next) from error
    except Transient as error:
        raise NotReady(f"a server went away: {error.reason}", "", "try again") from error


def gate_of(one: Boot) -> Gate:
    """Return the project's gate; from here on its passwords are masked."""
    gate = open_gate(one.root, one.environ, one.settings)
    one.report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
    return gate
