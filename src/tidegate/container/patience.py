"""Waiting for a lock without making the application wait: who is in the way, and when to ask again.

A lock that blocks others is asked for briefly. When it is refused, everything is let go of, and it
is asked for again when those who were in the way are gone, or after a pause that grows. A thread
looks beside the statement who is in its way: afterwards it is too late to ask.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from tidegate.container.beside import beside
from tidegate.container.raising import Raising
from tidegate.contracts.database import Election
from tidegate.databases import pgclasses
from tidegate.errors import Stopped
from tidegate.model.blocker import Blocker
from tidegate.model.waited import Waits

BRIEF = 0.05  # seconds that readers or writers may stand in line behind us
PAUSES = (0.1, 5.0)  # between two attempts: from, to; a blocker's end cuts them short
UNKNOWN = 0.5  # the longest pause where nobody was seen
LOOKS = 3  # after the deadline, while nobody was seen
TICK = 0.02
TELL_AGAIN = 10.0  # seconds


class Patience:
    """How one run of steps waits for its locks."""

    def __init__(self, raising: Raising, election: Election, stage: str) -> None:
        self.raising = raising
        self.election = election
        self.stage = stage
        self.ceiling = float(raising.settings["lock_timeout"])
        self.retries: dict[str, int] = {}
        self.waits = Waits()
        self.gave_up: Sequence[Blocker] = ()  # a concurrent build was ended because of these
        self.last: Sequence[Blocker] = ()  # who was in the way when it was last refused
        self._seen: Sequence[Blocker] = ()
        self._span = (0.0, 0.0)  # when somebody was seen in the way of what is sent: first, last
        self._refused = 0.0  # seconds until the last refusal
        self._now: tuple[str, float, float] | None = None
        self._step = ""
        self._pause = PAUSES[0]
        self._grown = 0
        self._looks = 0
        self._told: tuple[frozenset[tuple[int, str]], float] = (frozenset(), 0.0)

    def limit(self, lock_class: str, holding: bool) -> float:
        """Return the seconds that a statement may wait; 0: no limit."""
        if lock_class == pgclasses.CONCURRENT or not self.ceiling:
            return 0.0
        if lock_class == pgclasses.BLOCKING or holding:
            return min(self.ceiling, BRIEF * 1.5**self._grown)
        return self.ceiling

    @contextmanager
    def sending(self, step: str, limit: float) -> Iterator[None]:
        """Have the statement that is sent meanwhile looked at."""
        self._seen, self._span = (), (0.0, 0.0)
        began = time.monotonic()
        self._now = (step, began, limit)
        try:
            yield
        except BaseException:
            self._refused = time.monotonic() - began
            raise
        finally:
            self._now = None
        if self._seen:
            self.waits.add(step, self._span[1] - self._span[0], self._seen)

    def again(self, step: str) -> bool:
        """After a refusal: wait until it is worth asking again; False when it is too late."""
        raising, blockers = self.raising, self._seen
        if step != self._step:
            self._step, self._pause, self._grown, self.last = step, PAUSES[0], 0, ()
        self.retries[step] = self.retries.get(step, 0) + 1
        if blockers and self.last and not _keys(blockers) & _keys(self.last):
            self._grown += 1  # it is the traffic itself: nobody stays, and somebody always is there
        self.last = blockers or self.last
        self.waits.add(step, self._refused, blockers)
        self._tell(step, blockers, "released, asking again")
        for one in blockers:
            if one.is_vacuum and one.relation:
                self.election.make_way(one)
        longest = self._pause if blockers else min(self._pause, UNKNOWN)
        began = time.monotonic()
        until = began + longest * random.uniform(0.5, 1.0)
        while time.monotonic() < until:
            if time.monotonic() > raising.deadline:
                break
            raising.signals.event.wait(0.04)
            if raising.signals.stopped:
                raise Stopped(raising.signals.stopped)
            if blockers and not self.election.still_there(blockers):
                break
        self.waits.add(step, time.monotonic() - began, ())
        self._pause = min(self._pause * 2, PAUSES[1])
        return time.monotonic() < raising.deadline or self._late()

    def _late(self) -> bool:
        """Return whether to ask once more after the deadline: somebody is to be named for it.

        A busy machine may give the thread that looks no time while the first, brief one is asked.
        """
        if self.last or self._looks == LOOKS:
            return False
        self._looks += 1
        self._grown += 2
        return True

    def _tell(self, step: str, blockers: Sequence[Blocker], then: str) -> None:
        told, when = self._told
        keys, now = _keys(blockers), time.monotonic()
        if keys == told and now - when < TELL_AGAIN:
            return
        self._told = (keys, now)
        report = self.raising.report
        if not blockers:
            report.stage(self.stage, step, f"a lock was not free in time; {then}")
            return
        who = "; ".join(one.sentence for one in blockers[:3])
        more = f"; and {len(blockers) - 3} more" if len(blockers) > 3 else ""
        report.stage(
            self.stage, step, f"{blockers[0].wanted} is not free; {then}. In the way: {who}{more}",
            blockers=[one.document() for one in blockers],
        )  # fmt: skip

    def watching(self) -> AbstractContextManager[None]:
        """Look at what is sent, as long as this lasts."""
        return beside(self._watch)

    def _watch(self, over: threading.Event) -> None:
        looked: tuple[str, float, float] | None = None
        last = blocked = 0.0
        while not over.wait(TICK):
            now = self._now
            if now is None:
                continue
            step, began, limit = now
            moment = time.monotonic()
            first = min(0.5, limit * 0.4) if limit else 0.5
            if moment - began < first or (looked is now and moment - last < 1.0):
                continue
            if looked is not now:
                blocked = 0.0
            looked, last = now, moment
            found = self.election.blockers()
            if self._now is now or limit:
                self._seen = found or self._seen
                if found:
                    self._span = (self._span[0] or began, time.monotonic())
            blocked = (blocked or moment) if found else 0.0
            if found and moment - began > 1.0 and self._now is now:
                self._tell(step, found, "waiting")
                if not limit and moment - blocked > float(self.raising.settings["timeout"]):
                    self.gave_up = found
                    self.election.cancel()


def _keys(blockers: Sequence[Blocker]) -> frozenset[tuple[int, str]]:
    return frozenset(one.key for one in blockers)
