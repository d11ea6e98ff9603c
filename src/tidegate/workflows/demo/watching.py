"""Processes that start at once, their events as they come, and who spent how long on what."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.workflows.demo.server import Server
from tidegate.workflows.demo.stage import PATIENCE, DemoFailed, Stage

COLOURS = {"web-1": "36", "web-2": "33", "web-3": "35", "worker": "34"}

APP = "import os; print(f'this is the app, in the process that waited: pid {os.getpid()}')"


@dataclass(frozen=True, slots=True)
class Screen:
    """Where the demo is shown. `pause` is the time to read a sentence, 0 where nobody looks."""

    say: Callable[[str], None]
    colour: bool
    pause: float

    def paint(self, text: str, code: str) -> str:
        """Return `text` in a colour, where there are colours."""
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def chapter(self, title: str, sentence: str) -> None:
        """Say what comes now, and what is to be seen in it."""
        self.say("")
        self.say(self.paint(title, "1"))
        self.say(sentence)
        self.say("")
        time.sleep(self.pause)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of one process: an event of tidegate's, or what the app itself printed."""

    process: str
    at: float
    fields: Mapping[str, Any]

    @property
    def stage(self) -> str:
        """The stage that it is about; "app" is the app's own output."""
        return str(self.fields["stage"])


@dataclass(frozen=True, slots=True)
class Ended:
    """One process, after it."""

    name: str
    code: int
    events: tuple[Event, ...]

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds by stage, and in all, as the process itself counted them."""
        for event in self.events:
            if event.stage == "start":
                return {**event.fields["stages"], "total": event.fields["seconds"]}
        return {}

    @property
    def migrated(self) -> tuple[str, ...]:
        """The steps that this process applied."""
        return tuple(
            str(event.fields["step"])
            for event in self.events
            if event.stage == "migrate" and "seconds" in event.fields
        )

    @property
    def error(self) -> str:
        """The message it ended with."""
        return "\n".join(str(e.fields["text"]) for e in self.events if e.stage == "error")


def boot_all(
    screen: Screen, one: Stage, names: Mapping[str, str], server: Server | None = None
) -> list[Ended]:
    """Boot every name with its MIGRATE_ON_START, and show their events while they come.

    A server that is given is started a second later.
    """
    began = time.monotonic()
    heard: queue.Queue[Event | str | Server] = queue.Queue()
    if server is not None:
        later = threading.Timer(1.0, heard.put, [server])
        later.daemon = True
        later.start()
    children = {name: _boot(one, migrate) for name, migrate in names.items()}
    for name, child in children.items():
        threading.Thread(target=_listen, args=(name, child, began, heard), daemon=True).start()
    events: dict[str, list[Event]] = {name: [] for name in names}
    running = set(names)
    pids = {child.pid: name for name, child in children.items()}
    while running:
        try:
            got = heard.get(timeout=PATIENCE)
        except queue.Empty:
            raise DemoFailed(f"still running after {PATIENCE:.0f} s: {sorted(running)}") from None
        if isinstance(got, str):
            running.discard(got)
            continue
        if isinstance(got, Server):
            got.start(one)
            screen.say(f"{time.monotonic() - began:5.2f} s  {'':<8} (the database's server starts)")
            continue
        events[got.process].append(got)
        for line in told(got, pids):
            prefix = screen.paint(f"{got.process:<8}", COLOURS[got.process])
            screen.say(f"{got.at:5.2f} s  {prefix} {_by_weight(screen, got.stage, line)}")
    return [Ended(name, children[name].wait(PATIENCE), tuple(events[name])) for name in children]


def _boot(one: Stage, migrate: str) -> subprocess.Popen[Any]:
    return one.start(
        one.tidegate("boot", "--format", "jsonl", "--", sys.executable, "-c", APP),
        env={**one.environ, "MIGRATE_ON_START": migrate},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _listen(
    name: str,
    child: subprocess.Popen[Any],
    began: float,
    heard: queue.Queue[Event | str | Server],
) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            fields = json.loads(line)
            assert isinstance(fields, dict) and "stage" in fields
        except (ValueError, AssertionError):
            fields = {"stage": "app", "text": line.rstrip()}
        heard.put(Event(name, time.monotonic() - began, fields))
    heard.put(name)


def told(event: Event, pids: Mapping[int, str]) -> list[str]:
    """Return an event as lines for people, with the process's name beside its id."""
    fields = event.fields
    stage = event.stage
    if stage == "gate" and (not fields["subject"] or "state" in fields):
        return []  # why the framework is asked is chapter 2's; "current" is followed by "start"
    if stage == "start":
        return [f"start    after {fields['seconds']:.2f} s"]
    subject = str(fields.get("subject", ""))
    text = str(fields["text"])
    for pid, name in pids.items() if stage == "elect" else ():
        text = text.replace(f"process {pid},", f"{name}, process {pid},")
    took = f"  {fields['seconds']:.2f} s" if "seconds" in fields else ""
    if stage == "wait":  # the database's address is the same for all and says nothing new
        subject = "database"
    if subject == "default":
        subject = ""
    first, *rest = text.splitlines() or [""]
    head = f"{stage:<8} {subject + ': ' if subject else ''}{first}{took}"
    return [head, *(f"{'':<8} {line}" for line in rest)]


def _by_weight(screen: Screen, stage: str, line: str) -> str:
    if stage == "error":
        return screen.paint(line, "31")
    if stage in ("start", "app"):
        return screen.paint(line, "32")
    return line


def table(ended: Sequence[Ended]) -> list[str]:
    """Return who spent how long on what."""
    rows = [("", "until the", "until another", "migrating", "until the app"),
            ("", "database answered", "had migrated", "itself", "started")]  # fmt: skip
    for process in ended:
        seconds = process.seconds
        own = seconds.get("migrate", 0.0)
        rows.append((
            process.name, f"{seconds['wait']:.2f} s",
            "-" if own else f"{seconds['gate']:.2f} s",
            f"{own:.2f} s" if own else "-", f"{seconds['total']:.2f} s",
        ))  # fmt: skip
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:],
                                                                         strict=True))]).rstrip()
        for row in rows
    ]  # fmt: skip
