"""What one raise of a database's level needs to know, and what the ways up and down share of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.container.aiming import aimed
from tidegate.container.gate import Gate
from tidegate.container.report import Report
from tidegate.container.signals import Signals
from tidegate.contracts.database import Session
from tidegate.errors import Stopped
from tidegate.model.connection import Connection
from tidegate.model.level import Verdict
from tidegate.model.readiness import Transient

SERVER_GONE = ("57P01", "57P02", "57P03", "08000", "08003", "08006")
Check = Callable[[Verdict, Session], None]


@dataclass(slots=True)
class Raising:
    """What one raise needs to know."""

    gate: Gate
    connection: Connection
    settings: Mapping[str, str]
    deadline: float
    report: Report
    signals: Signals
    target: str = ""
    held: object = None  # a connection on which the election is won already
    plan: str = ""  # the fingerprint of the plan that is applied, for the ledger
    forms: Mapping[str, Mapping[str, list[list[str]]]] = field(default_factory=dict)
    """Other forms of statements, by step and by digest: what a plan was made with --online."""
    check: Check | None = None  # asked by the winner, before all
    again: bool = False
    """Whether steps that were rolled back may be applied again: a person asked for it."""
    command: str = ""  # what is started afterwards, if anything is

    @property
    def left(self) -> float:
        """Seconds that one attempt to connect may take."""
        return max(0.5, min(5.0, self.deadline - time.monotonic()))

    def level(self, session: Session) -> Verdict:
        """Read the level; of what is pending, only what the target needs."""
        verdict = self.gate.level(self.connection, session)
        return aimed(self.gate.steps(self.connection.alias), self.target, verdict)

    def taken(self) -> object:
        """Return the connection that has won, once: after a restart of the server it is dead."""
        held, self.held = self.held, None
        return held


def is_gone(error: BaseException, state: str) -> bool:
    """Return whether the error says that the server, or the way to it, went away."""
    if isinstance(error, Transient):
        return True
    if state:
        return state in SERVER_GONE
    kinds = {type(one).__name__ for one in (error, error.__cause__, getattr(error, "orig", None))}
    named = {"OperationalError", "InterfaceError", "ConnectionDoesNotExistError"}
    text = str(error).lower()
    words = ("connection", "server closed", "terminat")
    return bool(kinds & named) and any(word in text for word in words)


def patiently(raising: Raising, open_it: Callable[[], Any]) -> Any:
    """Open something at the server; a server that is away for a moment is waited for."""
    from tidegate.container.waiting import Dependency, wait_for
    from tidegate.errors import NotReady, RefusedForGood

    held: list[Any] = []

    def probe(timeout: float) -> str:
        held.append(open_it())
        return "open"

    name = raising.connection.shown
    (outcome,) = wait_for(
        [Dependency(name, probe)], raising.deadline, lambda *_: None, raising.signals.event
    )
    if outcome.ready:
        return held[0]
    if raising.signals.stopped:
        raise Stopped(raising.signals.stopped)
    if outcome.error:
        raise RefusedForGood(outcome.error.what, outcome.error.meaning, outcome.error.next)
    raise NotReady(
        f"{name} was not ready within {raising.settings['timeout']} s: {outcome.detail}",
        "",
        "see whether the server runs and can be reached from here",
    )
