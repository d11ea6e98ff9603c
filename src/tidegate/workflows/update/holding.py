"""One update of a project at a time, from whichever account or machine: its mark on the engine.

Everybody who begins makes a mark of their own first, and looks for others afterwards; so of two,
one sees the other. The one that goes on makes its mark anew every few seconds. A mark that stays as
it is for half a minute is of a process that was killed, or of a machine that is gone: it is taken
away. Nothing compares the clocks of two machines.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.contracts.shared import Shared
from tidegate.contracts.target import Teller
from tidegate.errors import ElectionNotWon, NotReady
from tidegate.process import run

BEAT = 5.0  # seconds between two marks of an update that runs
SILENT = 30.0  # seconds after which a mark that is not renewed is nobody's
LOOK = 0.5  # seconds between two looks
NAME = re.compile(r"update-(\w+)-(\d+)$")


@dataclass(frozen=True, slots=True)
class Mark:
    """What is seen of one update: its newest mark, and the names of all of them."""

    token: str
    beat: int
    says: Mapping[str, str]
    names: tuple[str, ...]

    @property
    def holder(self) -> str:
        """Who it is, for people."""
        one = self.says
        return (
            f"process {one.get('pid', '?')} of {one.get('user', 'somebody')} on "
            f"{one.get('host', 'another machine')}, since {one.get('since', 'a while')}"
        )


class Hold:
    """The mark of this process. `place` is the folder whose own lock this process has."""

    def __init__(self, shared: Shared, project: str, place: Path, tell: Teller) -> None:
        self.lost = False
        self.token = secrets.token_hex(6)
        self._shared, self._project, self._tell = shared, project, tell
        self._says = {**who(), "place": str(place.resolve())}
        self._beat = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def take(self) -> None:
        """Be the only one. Raises ElectionNotWon while another update of the project runs."""
        first: dict[str, tuple[int, float]] = {}
        marked = False
        while True:
            others = [one for one in self._seen() if one.token != self.token]
            if not others:
                if marked:
                    break
                self._mark()
                marked = True  # and look again: whoever came in between is seen now
                continue
            if marked and min(one.token for one in others) < self.token:
                self._take_away(self._own())
                marked = False
            self._watch(others, first)
            time.sleep(LOOK)
        self._next()
        self._thread.start()

    def _watch(self, others: list[Mark], first: dict[str, tuple[int, float]]) -> None:
        """Take away what is nobody's any more; refuse for one that lives."""
        for one in others:
            now = time.monotonic()
            if one.token not in first and self._ended(one) is None:
                self._tell.stage("wait", "", f"an update has left its mark: {one.holder}; looking "
                                 f"for {SILENT:g} s whether it lives")  # fmt: skip
            beat, since = first.setdefault(one.token, (one.beat, now))
            ended = self._ended(one)
            if ended is False or one.beat != beat:
                raise ElectionNotWon(
                    f"another update of {self._project} is running",
                    f"It is {one.holder}. Nothing was changed by this one.",
                    "wait until it has ended, then run this again",
                )
            # One that has not begun yet may be waiting for a third one, and renews nothing.
            if ended or now - since > (SILENT if one.beat else 2 * SILENT):
                self._tell.stage("found", "", f"an update has ended without a word: {one.holder}")
                self._take_away(one.names)

    def _ended(self, one: Mark) -> bool | None:
        """Return whether an update's process has ended, where that can be told from here."""
        own = self._says
        if (one.says.get("machine"), one.says.get("place")) == (own["machine"], own["place"]):
            return True  # it had the lock of that folder, which this process has now
        return has_ended(one)

    def release(self) -> None:
        """Take the mark away."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self._take_away(self._own())
        except NotReady:
            pass  # an engine that is away: the next update takes the mark for what it is

    def _seen(self) -> list[Mark]:
        return marks(self._shared)

    def _own(self) -> tuple[str, ...]:
        return next((one.names for one in self._seen() if one.token == self.token), ())

    def _mark(self) -> None:
        done = run(self._shared.making(f"update-{self.token}-{self._beat}", self._says), 30,
                   apart=True)  # fmt: skip
        if not done.ok:
            said = (done.err.strip().splitlines() or [done.why])[-1]
            raise NotReady(
                "the engine takes no mark of this update",
                f"{said}\nIt keeps a second update of the project out.",
                "see what the engine says, then run this again",
            )

    def _take_away(self, names: tuple[str, ...]) -> None:
        if names:
            run(self._shared.removing(names), 30, apart=True)

    def _next(self) -> None:
        """Make the next mark, then take the former away."""
        former = self._own()
        self._beat += 1
        self._mark()
        self._take_away(former)

    def _renew(self) -> None:
        while not self._end.wait(BEAT):
            try:
                if not self._own() and any(one.token != self.token for one in self._seen()):
                    self.lost = True  # this machine was asleep, and another one took over
                    return
                self._next()
            except NotReady:
                continue  # an engine that restarts has the mark when it is back


def marks(shared: Shared) -> list[Mark]:
    """Return the marks on the engine, one for each update."""
    found: dict[str, dict[int, tuple[str, Mapping[str, str]]]] = {}
    for name, says in shared.seen().items():
        match = NAME.search(name)
        if match:
            found.setdefault(match[1], {})[int(match[2])] = (name, says)
    return [
        Mark(token, max(own), own[max(own)][1], tuple(name for name, _ in own.values()))
        for token, own in found.items()
    ]


def running(shared: Shared) -> Mark | None:
    """Return an update that runs, as far as can be told from here at one look."""
    return next((one for one in marks(shared) if has_ended(one) is not True), None)


def has_ended(one: Mark) -> bool | None:
    """Return whether an update's process has ended; None where that can't be told from here."""
    if one.says.get("machine") != _machine():
        return None
    pid, began = one.says.get("pid", ""), one.says.get("began", "")
    now = _began(pid)
    if not began or now == began:
        return False if began and one.beat else None
    return True if now or not _runs(pid) else None


def who() -> dict[str, str]:
    """Return what a mark says of its process."""
    pid = str(os.getpid())
    return {
        "pid": pid,
        "user": user(),
        "host": socket.gethostname(),
        "machine": _machine(),
        "began": _began(pid),
        "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def user() -> str:
    """Return who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else "somebody"


def _machine() -> str:
    """Return what is the same wherever a process id means the same process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{sys.platform} {socket.gethostname()}"


def _began(pid: str) -> str:
    """Return when a process began, as Linux counts it; empty where that can't be seen."""
    try:
        stat = Path(f"/proc/{int(pid)}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[19]
    except (OSError, ValueError, IndexError):
        return ""


def _runs(pid: str) -> bool:
    """Return whether a process is there. Only where `_began` has once told something of it."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        pass  # somebody else's
    return True
