"""The story of `tidegate boot`: wait, decide, raise or wait for the level, collect, become the app.

Each stage is a function here or in the file of its name; `boot` reads aloud.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.container import outlet, static
from tidegate.container.applying import close_left_open, raise_level, wait_level
from tidegate.container.gate import Gate, open_gate
from tidegate.container.planned import forms_for
from tidegate.container.raising import Raising, patiently
from tidegate.container.report import Report
from tidegate.container.services import BadServiceUrl, dependency
from tidegate.container.signals import Signals
from tidegate.container.startable import refuse_unstartable
from tidegate.container.waiting import Dependency, Outcome, wait_for
from tidegate.errors import (
    NotReady,
    PolicyRefused,
    RefusedForGood,
    Stopped,
    UsageProblem,
)
from tidegate.model.connection import Connection
from tidegate.model.level import Verdict
from tidegate.model.words import counted

NOTICED = 0.05  # seconds to load the project from which they get a place in the table


@dataclass(slots=True)
class Boot:
    """What one boot works with."""

    root: Path
    environ: Mapping[str, str]
    settings: Mapping[str, str]
    report: Report
    signals: Signals
    began: float
    held: dict[str, Any] = field(default_factory=dict)  # connections that have won, by alias
    command: str = ""  # what is started afterwards, if anything is

    @property
    def deadline(self) -> float:
        """The one deadline, on the monotonic clock."""
        return self.began + float(self.settings["timeout"])


def boot(one: Boot, command: Sequence[str]) -> None:
    """Do everything that has to be done before `command` may start; return when it may."""
    refuse_unstartable(command[0], one.environ)
    prepare(one)


def prepare(one: Boot) -> Gate:
    """Wait, bring each database to where the policy wants it, and collect; return the gate."""
    gate = open_gate(one.root, one.environ, one.settings)
    if gate.loading > NOTICED:  # without a good seal
        one.report.count("load", gate.loading)
    one.report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
    if gate.why:
        one.report.stage("gate", "", f"asking {gate.project.framework} itself: {gate.why}")
    wait(one, gate)
    for connection in gate.connections:
        raise_or_decide(one, gate, connection)
    tell_noticed(one, gate)
    static.collect(
        gate.project, one.settings, one.report, one.deadline, one.signals, gate.sealed_static
    )
    return gate


def wait(one: Boot, gate: Gate) -> None:
    """Wait for every database and service at once, until the one deadline."""
    dependencies = [
        Dependency(f"{c.alias} ({c.shown})", gate.database(c).probe) for c in gate.connections
    ] + services(one)
    began = time.monotonic()

    def changed(name: str, reason: str, seconds: float) -> None:
        one.report.stage("wait", name, reason)

    outcomes = wait_for(dependencies, one.deadline, changed, one.signals.event)
    if one.signals.stopped:
        raise Stopped(one.signals.stopped)
    for outcome in outcomes:
        if outcome.ready:
            one.report.stage("wait", outcome.name, f"{outcome.detail} is ready")
    one.report.seconds["wait"] = time.monotonic() - began
    raise_first_refusal(outcomes, one)
    for connection in gate.connections:
        warning = getattr(gate.database(connection), "warning", lambda: "")()
        if warning:
            one.report.warn(warning)
    tell_noticed(one, gate)


def tell_noticed(one: Boot, gate: Gate) -> None:
    """Say what the project applied by itself while it was loaded; mostly it did not."""
    if gate.project.noticed:
        from tidegate.container import noticed

        noticed.tell(one, gate)


def services(one: Boot) -> list[Dependency]:
    """Return the dependencies of `--wait-for`."""
    out = []
    for url in one.settings["wait_for"].split():
        try:
            out.append(dependency(url, one.environ))
        except BadServiceUrl as error:
            raise UsageProblem(
                getattr(error, "what", str(error)), "", getattr(error, "next", "")
            ) from None
    return out


def raise_first_refusal(outcomes: Sequence[Outcome], one: Boot) -> None:
    """End with what refused for good, else with what was not ready in time."""
    for outcome in outcomes:
        if outcome.error:
            raise RefusedForGood(outcome.error.what, outcome.error.meaning, outcome.error.next)
    late = [outcome for outcome in outcomes if not outcome.ready]
    if late:
        raise NotReady(
            f"not ready within {one.settings['timeout']} s: "
            + "; ".join(f"{outcome.name}: {outcome.detail}" for outcome in late),
            f"{counted(late[0].attempts, 'attempt')} made"
            + (f"; {one.command} was not started." if one.command else "."),
            "see whether it runs and can be reached from here, or give more time with --timeout",
        )


def raise_or_decide(one: Boot, gate: Gate, connection: Connection) -> None:
    """Do what the policy says for the state that one database is in."""
    began, loaded = time.monotonic(), gate.loading
    held = one.held.pop(connection.alias, None)
    raising = Raising(
        gate, connection, one.settings, one.deadline, one.report, one.signals, held=held,
        command=one.command,
    )  # fmt: skip
    verdict: Verdict = patiently(raising, lambda: gate.standing(connection))
    state = verdict.state
    if state in ("ahead", "diverged") and one.settings["when_ahead"] == "fail":
        raise PolicyRefused(
            f"database {connection.alias} has steps that this code does not know: "
            + _listed(verdict.unknown),
            "The image is older than the schema (an old tag, or a rollback of the image alone). "
            "The policy --when-ahead fail forbids to start.",
            "start the newer image, or allow it with --when-ahead serve",
        )
    if verdict.unknown:
        one.report.warn(
            f"{connection.alias} is {state}: it has steps that this code does not know: "
            f"{_listed(verdict.unknown)}; the image may be older than the schema"
        )
    if verdict.pending or (verdict.unrecorded and one.settings["when_behind"] == "migrate"):
        verdict = _when_behind(one, raising, verdict)
    elif held is not None:
        close_left_open(raising)  # the holder died between its last step and its last word
    loading = gate.loading - loaded
    if loading > NOTICED:
        one.report.count("load", loading)
    one.report.stage(
        "gate", connection.alias, _summed_up(verdict), time.monotonic() - began - loading,
        state=verdict.state,
    )  # fmt: skip


def _when_behind(one: Boot, raising: Raising, verdict: Verdict) -> Verdict:
    policy, alias = one.settings["when_behind"], raising.connection.alias
    if policy == "migrate" and verdict.unknown and raising.gate.project.framework == "alembic":
        raise PolicyRefused(
            f"database {alias} is diverged: it has {_listed(verdict.unknown)}, which this code "
            f"does not know, and lacks {_listed(verdict.pending)}",
            "Alembic can't find a way from a revision that it has no file for. Nothing was "
            "changed.",
            "build the image from a branch that has both, and merge the heads: alembic merge",
        )
    if policy == "migrate":
        raising.gate.refuse_conflicts(alias)
        steps = raising.gate.steps(alias)
        raising.forms = forms_for(one.settings["forms"], steps) if verdict.pending else {}
        return raise_level(raising)
    if policy == "wait":
        one.report.stage("gate", alias, f"{_summed_up(verdict)}; waiting for the one who migrates")
        return wait_level(raising)
    if policy == "serve":
        one.report.warn(f"{alias} is {_summed_up(verdict)}; the app starts all the same")
        return verdict
    raise PolicyRefused(
        f"database {alias} is {_summed_up(verdict)}",
        "The policy --when-behind fail forbids to start.",
        "apply the steps first: tidegate migrate",
    )


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _summed_up(verdict: Verdict) -> str:
    if not verdict.pending:
        return f"{verdict.state} ({counted(len(verdict.applied), 'step')})"
    number = counted(len(verdict.pending), "step")
    return f"{verdict.state}, {number} pending: {_listed(verdict.pending, 3)}"


def start(one: Boot, command: Sequence[str]) -> None:
    """Become the command."""
    from tidegate.container.fast import become

    one.report.summary(list(command), time.monotonic() - one.began)
    outlet.give_back()
    one.signals.restore()
    os.environ.clear()
    become(list(command), dict(one.environ))
