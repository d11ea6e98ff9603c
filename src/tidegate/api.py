"""tidegate from Python: what the commands do, as functions that return values and raise errors.

For when no command line is at hand: a test's fixture, a notebook, a script, an app that gates
itself. They work in this process and on this machine, like the commands with `--local`: nothing
here speaks with a container engine. `root` is the project's folder; settings come from its file,
from the environment, and from the keywords here, which win. What is said while they work goes to
the logger `tidegate`. A signal's handler is never touched.

All errors are `TidegateError`: `what` happened, what it means (`meaning`), and what to type `next`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate.container import boot as booting
from tidegate.container.boot import Boot
from tidegate.container.describing import described
from tidegate.container.gate import Gate, open_gate
from tidegate.container.migrating import Migrated, knowing, raise_to
from tidegate.container.raising import Raising
from tidegate.container.report import Report, masked
from tidegate.container.running import settings_for
from tidegate.container.signals import Signals
from tidegate.container.waiting import wait_for as waited
from tidegate.errors import (
    ElectionNotWon,
    NotReady,
    PolicyRefused,
    RefusedForGood,
    StateNotCurrent,
    StepFailed,
    TidegateError,
    UsageProblem,
)
from tidegate.model.level import GateState
from tidegate.model.readiness import Permanent, Transient

__all__ = ["Adopted", "Database", "ElectionNotWon", "Migrated", "NotReady", "PolicyRefused",
           "RefusedForGood", "StateNotCurrent", "Status", "StepFailed", "TidegateError",
           "UsageProblem", "adopt", "boot", "migrate", "status", "wait"]  # fmt: skip

Policy = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class Database:
    """Where one database stands.

    `pending` are the steps of the code that it lacks, in their order; `unknown` those that it has
    and the code has not; `edited` those whose file has changed since they were applied. `why` says
    why it can't be reached.
    """

    alias: str
    vendor: str
    state: GateState
    applied: int
    pending: tuple[str, ...]
    unknown: tuple[str, ...]
    edited: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """Where a project stands: its framework and its databases, the main one first."""

    framework: str
    databases: tuple[Database, ...]

    @property
    def current(self) -> bool:
        """Whether every database is at the level of the code."""
        return all(one.state == "current" for one in self.databases)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What `adopt` found for one database.

    `steps` are those whose tables are there, `left` those that are still pending, and `unseen`
    those among `steps` that change no schema, so that nothing of them could be compared.
    """

    alias: str
    steps: tuple[str, ...]
    left: tuple[str, ...]
    unseen: tuple[str, ...]


def status(
    root: str | Path = ".",
    *,
    databases: Sequence[str] = (),
    framework: str = "",
) -> Status:
    """Say where the code and each database stand; a database that can't be reached is said, too.

    ```python
    import tidegate

    found = tidegate.status()
    print(found.framework, [(one.alias, one.state, len(one.pending)) for one in found.databases])
    assert not found.current
    ```
    """
    with _work(root, databases=databases, framework=framework) as one:
        gate = _gate(one)
        return Status(gate.project.framework, _databases(gate))


def wait(
    root: str | Path = ".",
    *,
    wait_for: Sequence[str] = (),
    timeout: float | None = None,
) -> None:
    """Return when the databases and the services of `wait_for` answer; raise NotReady if not.

    Without a project at `root` only the services are waited for. What can't come by waiting, such
    as a wrong password, is raised at once as RefusedForGood.

    ```python
    tidegate.wait(timeout=30)
    ```
    """
    with _work(root, wait_for=wait_for, timeout=timeout) as one:
        try:
            gate = _gate(one)
        except UsageProblem:
            if not one.settings["wait_for"]:
                raise
            services = booting.services(one)
            outcomes = waited(services, one.deadline, lambda *_: None, one.signals.event)
            booting.raise_first_refusal(outcomes, one)
            return
        booting.wait(one, gate)


def migrate(
    root: str | Path = ".",
    *,
    target: str = "",
    databases: Sequence[str] = (),
    timeout: float | None = None,
    lock_timeout: float | None = None,
    backup: Policy | None = None,
    framework: str = "",
) -> tuple[Migrated, ...]:
    """Apply the pending steps, up to `target` where one is named, under the election.

    Another process that migrates is waited for; its steps count as applied.

    ```python
    (done,) = tidegate.migrate()
    print(done.alias, done.state, len(done.applied))
    assert tidegate.status().current
    ```
    """
    with _work(root, databases=databases, timeout=timeout, lock_timeout=lock_timeout,
               backup=backup, framework=framework) as one:  # fmt: skip
        gate = _gate(one)
        chosen = knowing(gate, target) if target else gate.connections
        booting.wait(one, gate)
        return tuple(raise_to(one, gate, connection, target) for connection in chosen)


def boot(
    root: str | Path = ".",
    *,
    when_behind: Literal["migrate", "wait", "serve", "fail"] | None = None,
    when_ahead: Literal["serve", "fail"] | None = None,
    collectstatic: Policy | None = None,
    backup: Policy | None = None,
    wait_for: Sequence[str] = (),
    databases: Sequence[str] = (),
    timeout: float | None = None,
    lock_timeout: float | None = None,
    framework: str = "",
) -> Status:
    """Do what `tidegate boot` does before it becomes the app; return where all stands then.

    Call it once, before the app takes requests and before it forks workers.

    ```python
    ready = tidegate.boot(when_behind="migrate")
    assert ready.current
    ```
    """
    with _work(root, when_behind=when_behind, when_ahead=when_ahead,
               collectstatic=collectstatic, backup=backup, wait_for=wait_for,
               databases=databases, timeout=timeout, lock_timeout=lock_timeout,
               framework=framework) as one:  # fmt: skip
        one.command = "the app"
        gate = booting.prepare(one)
        return Status(gate.project.framework, _databases(gate))


def adopt(
    root: str | Path = ".",
    *,
    to: str = "",
    plan: bool = False,
    scratch: str = "",
    databases: Sequence[str] = (),
    timeout: float | None = None,
    framework: str = "",
) -> tuple[Adopted, ...]:
    """Record the steps whose tables are there already; with `plan` only say which they are.

    Raises StateNotCurrent, and records nothing, where what is there differs from what the steps
    make: `meaning` lists the differences.

    ```python
    for found in tidegate.adopt(plan=True):
        print(found.alias, found.steps, found.left)
    ```
    """
    from tidegate.container.adopting import story

    out = []
    with _work(root, databases=databases, timeout=timeout, framework=framework) as one:
        gate = _gate(one)
        booting.wait(one, gate)
        for connection in gate.connections:
            raising = Raising(
                gate, connection, one.settings, one.deadline, one.report, one.signals
            )  # fmt: skip
            found = story.compare(raising, to, scratch)
            story.refuse_differences(found)
            if found.match.adopted and not plan:
                story.adopt(raising, found)
            match = found.match
            out.append(Adopted(connection.alias, match.adopted, match.left, match.unseen))
    return tuple(out)


class _Log(Report):
    """Tells the logger what the commands print."""

    def __init__(self) -> None:
        super().__init__()
        self._logger = logging.getLogger("tidegate")

    def stage(
        self, stage: str, subject: str, text: str, seconds: float | None = None, **more: object
    ) -> None:
        line = f"{stage} {subject}{': ' if subject else ''}{text}"
        self._logger.info("%s", masked(line, self.secrets))

    def warn(self, text: str) -> None:
        self._logger.warning("%s", masked(text, self.secrets))


@contextmanager
def _work(root: str | Path, **given: str | float | Sequence[str] | None) -> Iterator[Boot]:
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
        yield Boot(Path(root), environ, settings, _Log(), Signals(), began)
    except Permanent as error:
        raise RefusedForGood(error.what, error.meaning, error.next) from error
    except Transient as error:
        raise NotReady(f"a server went away: {error.reason}", "", "try again") from error


def _gate(one: Boot) -> Gate:
    gate = open_gate(one.root, one.environ, one.settings)
    one.report.secrets = tuple(c.password.reveal() for c in gate.connections if c.password)
    return gate


def _databases(gate: Gate) -> tuple[Database, ...]:
    out = []
    for connection in gate.connections:
        raw = described(gate, connection)
        out.append(Database(
            raw["alias"], raw["vendor"], raw["state"], raw["applied"], tuple(raw["pending"]),
            tuple(raw["unknown"]), tuple(raw["edited"]), raw["why"],
        ))  # fmt: skip
    return tuple(out)
