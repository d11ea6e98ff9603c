"""Wait for several dependencies at once, until each is ready, one refuses for good, or time is up.

A dependency is a name and a probe. A probe looks once: it returns a short detail ("PostgreSQL
15.18"), or raises `Transient` (look again later) or `Permanent` (waiting will not help). Anything
else that a probe raises is a bug and is passed on to the caller of `wait_for`.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tidegate.model.oserrors import classify_os_error
from tidegate.model.readiness import Permanent, Transient

__all__ = ["Dependency", "Outcome", "Permanent", "Transient", "classify_os_error", "wait_for"]

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
LONGEST_ATTEMPT = 5.0
FIRST_LOOK = 0.5  # seconds for a look that comes late
SHORTEST_ATTEMPT = 0.02  # less time than this would only turn the last reason into "timed out"
_SLICE = 0.05  # how long a pause goes on after `stop` was set


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something to wait for."""

    name: str
    """For display; secrets are masked already."""
    probe: Callable[[float], str]
    """Looks once, for at most that many seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the wait for one dependency ended."""

    name: str
    ready: bool
    seconds: float
    attempts: int
    detail: str
    """What the probe returned; when not ready, the last reason."""
    error: Permanent | None = None


@dataclass(slots=True)
class _Watch:
    """One dependency's progress; written by its thread, read by the caller's."""

    dependency: Dependency
    started: float = field(default_factory=time.monotonic)
    attempts: int = 0
    reason: str = "not tried before the deadline"

    def outcome(self, detail: str, *, ready: bool, error: Permanent | None = None) -> Outcome:
        seconds = time.monotonic() - self.started
        return Outcome(self.dependency.name, ready, seconds, self.attempts, detail, error)

    def unfinished(self) -> Outcome:
        return self.outcome(self.reason, ready=False)


OnChange = Callable[[str, str, float], None]


def wait_for(
    dependencies: Sequence[Dependency],
    deadline: float,
    on_change: OnChange,
    stop: threading.Event | None = None,
) -> list[Outcome]:
    """Wait for all; the outcomes are in the order of `dependencies`.

    `deadline` is a value of `time.monotonic`; however late it is, each is looked at for
    `FIRST_LOOK`: the outcome then says what there is. `on_change(name, reason, seconds)` is called
    in the caller's thread, and only when a dependency's reason has changed. The first
    `Permanent` ends the wait for all. Setting `stop` ends it within about 50 ms (after the attempt
    in flight, when there is one dependency only); a signal handler may set it.
    """
    stop = stop or threading.Event()
    deadline = max(deadline, time.monotonic() + FIRST_LOOK)
    if len(dependencies) == 1:
        return [_wait_here(dependencies[0], deadline, on_change, stop)]
    return _wait_in_threads(dependencies, deadline, on_change, stop)


def _wait_here(
    dependency: Dependency, deadline: float, on_change: OnChange, stop: threading.Event
) -> Outcome:
    watch = _Watch(dependency)

    def changed() -> None:
        on_change(dependency.name, watch.reason, time.monotonic() - watch.started)

    return _look_until(watch, deadline, stop.is_set, changed)


def _look_until(
    watch: _Watch, deadline: float, halted: Callable[[], bool], changed: Callable[[], None]
) -> Outcome:
    """Probe until ready, refused for good, halted or out of time."""
    known: str | None = None
    while not halted() and (left := deadline - time.monotonic()) >= SHORTEST_ATTEMPT:
        watch.attempts += 1
        try:
            detail = watch.dependency.probe(min(left, LONGEST_ATTEMPT))
            return watch.outcome(detail, ready=True)
        except Permanent as error:
            return watch.outcome(error.what, ready=False, error=error)
        except Transient as error:
            watch.reason = error.reason
        if watch.reason != known:
            known = watch.reason
            changed()
        _pause(min(time.monotonic() + backoff(watch.attempts), deadline), halted)
    return watch.unfinished()


def backoff(attempts: int) -> float:
    """Seconds before the next attempt: 0 to 50 ms first, the bound doubles up to 1 s.

    "Full jitter" (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/):
    replicas that start together do not ask together.
    """
    doublings = min(attempts - 1, 10)
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings))


def _pause(until: float, halted: Callable[[], bool]) -> None:
    """Sleep in slices rather than on the event.

    `Event.wait` and `Event.set` take the same lock, so a signal handler that sets the event its
    own thread is about to wait on could block for ever; `is_set` takes no lock.
    """
    while not halted() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _SLICE))


# What a thread reports: a new reason with its time, its end, or an exception that is a bug.
_News = tuple[int, "tuple[str, float] | Outcome | BaseException"]


def _wait_in_threads(
    dependencies: Sequence[Dependency], deadline: float, on_change: OnChange, stop: threading.Event
) -> list[Outcome]:
    """One daemon thread each: one that hangs in the C library holds neither us nor the exit."""
    abandoned = threading.Event()
    news: queue.SimpleQueue[_News] = queue.SimpleQueue()
    watches = [_Watch(dependency) for dependency in dependencies]
    try:
        for number, watch in enumerate(watches):
            arguments = (number, watch, deadline, abandoned, news)
            threading.Thread(target=_thread, args=arguments, daemon=True).start()
        ended = _collect(watches, deadline, on_change, stop, news)
    finally:
        abandoned.set()
    return [ended.get(number) or watch.unfinished() for number, watch in enumerate(watches)]


def _thread(
    number: int,
    watch: _Watch,
    deadline: float,
    abandoned: threading.Event,
    news: queue.SimpleQueue[_News],
) -> None:
    def changed() -> None:
        news.put((number, (watch.reason, time.monotonic() - watch.started)))

    try:
        news.put((number, _look_until(watch, deadline, abandoned.is_set, changed)))
    except BaseException as bug:  # handed to the caller, who raises it
        news.put((number, bug))


def _collect(
    watches: Sequence[_Watch],
    deadline: float,
    on_change: OnChange,
    stop: threading.Event,
    news: queue.SimpleQueue[_News],
) -> dict[int, Outcome]:
    """The outcomes that came in before the wait was over."""
    ended: dict[int, Outcome] = {}
    while len(ended) < len(watches) and not stop.is_set():
        left = deadline - time.monotonic()
        try:
            number, what = news.get(timeout=max(0.0, min(left, _SLICE)))
        except queue.Empty:
            if left <= 0:
                break
            continue
        if isinstance(what, BaseException):
            raise what
        if isinstance(what, Outcome):
            ended[number] = what
            if what.error:
                break
        else:
            on_change(watches[number].dependency.name, *what)
    return ended
