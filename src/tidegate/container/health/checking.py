"""Is the schema what the code needs? One look at a time, over a connection of its own.

However many requests ask, and however long the database hangs, each database has at most one
look in flight, in a thread of its own. A look that is a moment old is good enough; one that does
not come back within the timeout is an answer as well.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tidegate.container.gate import Gate
from tidegate.container.report import masked
from tidegate.errors import TidegateError
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

READY = ("current", "ahead")
AGAIN = 5.0  # seconds until a project that could not be asked is asked again


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one database stands against the code, and why it can't be said if it can't."""

    alias: str
    state: str
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    why: str = ""

    @property
    def ready(self) -> bool:
        """Whether every step that the code needs is applied."""
        return self.state in READY


class Watch:
    """Looks at one thing, one look at a time, and keeps what it saw for a while."""

    def __init__(
        self, alias: str, look: Callable[[float], Standing], ttl: float, timeout: float
    ) -> None:
        self.alias = alias
        self._look = look
        self._ttl = ttl
        self._timeout = timeout
        self._guard = threading.Lock()
        self._seen: Standing | None = None
        self._at = 0.0
        self._flight: Future[Standing] | None = None
        self._began = 0.0

    def peek(self) -> Standing | None:
        """Return an answer that needs no waiting, and see that a look is on its way if due."""
        now = time.monotonic()
        age = now - self._at
        if self._seen is not None and age <= self._ttl:
            return self._seen
        self._fly()
        if now - self._began > self._timeout:
            return self.late()
        if self._seen is not None and age <= self._ttl + self._timeout:
            return self._seen
        return None

    def flight(self) -> Future[Standing]:
        """Return the look that is on its way; done when there is none."""
        return self._fly()

    def left(self) -> float:
        """Seconds for which the look on its way may still be waited for."""
        return max(0.0, self._began + self._timeout - time.monotonic())

    def answer(self) -> Standing:
        """Return an answer, after waiting no longer than the timeout."""
        found = self.peek()
        if found is not None:
            return found
        flight = self._fly()
        try:
            return flight.result(self.left())
        except TimeoutError:
            return self.late()

    def late(self) -> Standing:
        """Return what is said of a look that did not come back in time."""
        return Standing(self.alias, "unreachable", why=f"no answer within {self._timeout:g} s")

    def _fly(self) -> Future[Standing]:
        with self._guard:
            if self._flight is None:
                self._flight, self._began = Future(), time.monotonic()
                self._flight.set_running_or_notify_cancel()  # nobody may cancel it from now on
                threading.Thread(target=self._run, args=(self._flight,), daemon=True).start()
            return self._flight

    def _run(self, flight: Future[Standing]) -> None:
        try:
            seen = self._look(self._timeout)
        except Exception as error:  # whatever it is, the app must go on and the probe must hear it
            seen = Standing(self.alias, "unreachable", why=_said(error))
        with self._guard:
            self._seen, self._at, self._flight = seen, time.monotonic(), None
        flight.set_result(seen)


class Health:
    """The readiness of one project: `answers` says where each of its databases stands."""

    def __init__(
        self,
        root: str = "",
        environ: Mapping[str, str] | None = None,
        ttl: float = 1.0,
        timeout: float = 2.0,
    ) -> None:
        self.root = Path(root or os.environ.get("TIDEGATE_PROJECT", "") or ".").resolve()
        self.environ = dict(os.environ if environ is None else environ)
        self.ttl = ttl
        self.timeout = timeout
        self._born()

    def _born(self) -> None:
        self._pid = os.getpid()
        self._watches: list[Watch] = []
        self._project = Watch("project", self._describe, AGAIN, self.timeout)

    def _describe(self, timeout: float) -> Standing:
        from tidegate.container.health.describing import describe

        gate = describe(self.root, self.environ)
        self._watches = [self._watch(gate, one) for one in gate.connections]
        return Standing("project", "current")

    def _watch(self, gate: Gate, connection: Connection) -> Watch:
        return Watch(
            connection.alias, lambda timeout: look(gate, connection, timeout),
            self.ttl, self.timeout,
        )  # fmt: skip

    def watches(self) -> list[Watch]:
        """Return what has to answer: the databases, or the project while it is not yet known.

        A forked worker begins anew: threads do not live on in a child.
        """
        if self._pid != os.getpid():
            self._born()
        return self._watches or [self._project]

    def answers(self) -> list[Standing]:
        """Return where everything stands; takes no longer than the timeout."""
        watches = self.watches()
        found = [watch.answer() for watch in watches]
        if found[0].ready and watches[0] is self._project:  # it has just said what it has
            return [watch.answer() for watch in self.watches()]
        return found


def look(gate: Gate, connection: Connection, timeout: float) -> Standing:
    """Log in, read the level in one query, log out."""
    until = time.monotonic() + timeout
    session = gate.database(connection).session(timeout)
    try:
        verdict = gate.level(connection, session, max(0.05, until - time.monotonic()))
    finally:
        session.close()
    return Standing(connection.alias, verdict.state, verdict.pending, verdict.unknown)


def _said(error: Exception) -> str:
    if isinstance(error, Transient):
        text = error.reason
    elif isinstance(error, Permanent | TidegateError):
        text = error.what
    else:
        text = f"{type(error).__name__}: {error}"
    return masked(text)
