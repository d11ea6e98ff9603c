"""What one update works with: its target, what ran before, what it has done so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tidegate.contracts.target import Container, Service, Target, Teller
from tidegate.errors import NotReady, UpdateUndone
from tidegate.model.command import Command
from tidegate.process import Result, run
from tidegate.workflows.update import insiding
from tidegate.workflows.update.explain import explained
from tidegate.workflows.update.state import Release, State
from tidegate.workflows.update.verify import UNHEALTHY, Ill, settle

WARNS = "level=warning"  # Compose's own, of every file that says a version
PATIENCE = 90.0  # seconds in which an engine that restarts has to be back


@dataclass(slots=True)
class Update:
    """One update: what it works with, and what it has done so far."""

    target: Target
    state: State
    tell: Teller
    line: Callable[[str], None]  # the builders' own words, as they come
    show: Callable[[str], None]  # a command of a dry run
    dry: bool = False
    build: bool = True
    pull: bool = False
    only: tuple[str, ...] = ()
    verify_url: str = ""
    share: insiding.Share | None = None
    """Where the backups of this machine are offered to the one-off containers."""
    before: Release = field(default_factory=lambda: Release(""))
    replaced: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    migrated: list[str] = field(default_factory=list)
    lowered: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    levels: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The last steps of each database before the update and after it, with commas."""
    static: str = ""
    """Where the app collects its static files, in its container."""
    collected: bool = False

    def do(self, command: Command, timeout: float = 600.0, aloud: bool = False) -> Result:
        """Run a command that changes something; in a dry run only show it."""
        if self.dry:
            self.show(command.shown())
            return Result(command, 0, "", "")
        return run(command, timeout, line=self.line if aloud else None, apart=True)

    def must(
        self, command: Command, what: str, timeout: float = 600.0, aloud: bool = False
    ) -> None:
        """Run a command that has to succeed."""
        done = self.do(command, timeout, aloud)
        if not done.ok:
            said = f"{done.out}\n{done.err}"  # a builder tells its story on stdout
            lines = [one for one in said.splitlines() if one.strip() and WARNS not in one][-12:]
            text = "\n".join([*lines, done.why, *explained(said)]).strip()
            advice = "correct it, then run tidegate up again"
            # Of what replaces nothing: that one may be typed, to see it again.
            raise UpdateUndone(what, text, f"{advice}\n{command.shown()}" if aloud else advice)

    def room(self, service: str) -> None:
        """Remove a service's containers where that has to come before the new ones."""
        if self.target.removes_first:
            if not self.dry:
                self.target.may_remove(service)
            self.do(self.target.removing(service))

    def seen(self) -> list[Container]:
        """Return the containers; an engine that is away for a moment is waited for."""
        began = time.monotonic()
        while True:
            try:
                return self.target.containers()
            except NotReady:
                if time.monotonic() - began > PATIENCE:
                    raise
                time.sleep(1)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count a stage's seconds, and write down that it was reached."""
        self.state.refuse_lost()
        if not self.dry and self.before.stamp:
            self.state.reached(name)
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - began

    @property
    def services(self) -> list[Service]:
        """The services that this update is about, each after what it needs."""
        running = self.before.replicas
        return [
            one
            for one in self.target.services
            if (one.active or running.get(one.name))
            and (one.active or one.name != self.target.migrator or one.name == self.target.backend)
            and (not self.only or one.name in self.only)
        ]


def settled(
    one: Update, services: Sequence[Service], seconds: float, patient: bool = False
) -> tuple[Ill, ...]:
    """Watch services until they were well for so long; return what is not."""

    def changed(ill: Ill) -> None:
        one.tell.stage("verify", ill.service, ill.what)

    timeout = one.target.number("timeout")
    return settle(one.seen, services, one.restarts, seconds, timeout, changed, patient)


def unwell(one: Update, ill: Sequence[Ill], what: str) -> UpdateUndone:
    """Return the error that names the guilty services, with the last words of the first."""
    lines = [f"{each.service} {each.what}" for each in ill]
    said = one.target.last_words(ill[0].container, 15) if ill[0].container else ""
    if said:
        lines += [f"its log ends with:  ({ill[0].service})", *[f"| {x}" for x in said.splitlines()]]
    lines += explained(said)
    if any(each.what.startswith(UNHEALTHY) for each in ill):
        lines.append("Its health check gave up. Where a start takes longer, say so: start_period.")
    return UpdateUndone(what, "\n".join(lines), "correct it, then run tidegate up again")
