"""Where a project stands, waiting, migrating, starting, adopting: the gate from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate.api.work import gate_of, working
from tidegate.container import boot as booting
from tidegate.container.describing import described
from tidegate.container.gate import Gate
from tidegate.container.migrating import Migrated, knowing, raise_to
from tidegate.container.raising import Raising
from tidegate.container.waiting import wait_for as waited
from tidegate.errors import UsageProblem
from tidegate.model.level import GateState

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
    with working(root, databases=databases, framework=framework) as one:
        gate = gate_of(one)
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
    with working(root, wait_for=wait_for, timeout=timeout) as one:
        try:
            gate = gate_of(one)
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
    with working(root, databases=databases, timeout=timeout, lock_timeout=lock_timeout,
               backup=backup, framework=framework) as one:  # fmt: skip
        gate = gate_of(one)
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
    with working(root, when_behind=when_behind, when_ahead=when_ahead,
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
    with working(root, databases=databases, timeout=timeout, framework=framework) as one:
        gate = gate_of(one)
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


def _databases(gate: Gate) -> tuple[Database, ...]:
    out = []
    for connection in gate.connections:
        raw = described(gate, connection)
        out.append(Database(
            raw["alias"], raw["vendor"], raw["state"], raw["applied"], tuple(raw["pending"]),
            tuple(raw["unknown"]), tuple(raw["edited"]), raw["why"],
        ))  # fmt: skip
    return tuple(out)
