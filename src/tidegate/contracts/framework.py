"""What a migration framework must be able to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tidegate.model.connection import Connection
from tidegate.model.sessions import AppSession
from tidegate.model.step import Step
from tidegate.model.undoing import Undo


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """Where the framework collects static files to, and the files it collects from."""

    root: str
    sources: tuple[str, ...]
    storage: str = ""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Steps that the project's own code applied while it was loaded: the rows before and after."""

    alias: str
    where: str
    before: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...]


CONNECT_LIMIT = 10  # seconds for a driver's login while steps are applied; some wait for ever

Run = Callable[[str], Sequence[Sequence[object]]]
DDL = ("ALTER", "CREATE", "DROP", "LOCK", "TRUNCATE")


AROUND = ("PRAGMA", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")


class Door(Protocol):
    """Stands between a framework and its sessions while steps are applied."""

    def begin(self, step: str, atomic: bool) -> bool:
        """A step begins; return whether it is still one that the database takes back whole."""

    def call(self, session: AppSession, sql: str, execute: Callable[[], Any]) -> Any:
        """Have one statement executed; it may be sent again, in another form, or not at all."""

    def sent(self, sql: str) -> str:
        """Return what the statement that was called last was sent as."""


@dataclass(slots=True)
class Applying:
    """What a framework tells while it applies, and what it keeps for the error message.

    `on_start(step)` and `on_done(step, seconds)` are called around each step; `opened(run, cut)`
    for each new session, with a function that runs SQL on that very session, in autocommit, and
    one that makes its running statement fail from another thread, without asking the server.
    `redirect` are login fields that replace the project's own (a way round a pooler); `door` is
    what every statement passes through, None where each is just sent.
    `statement` is the last SQL sent, `failing` the first that raised, `step` the one that runs,
    `where` its schema where it runs in several, `atomic` whether the database takes a failed step
    back by itself. `statements` are those of the running step that ended well, with their seconds,
    and `locks` what they held (PostgreSQL).
    """

    on_start: Callable[[str], None]
    on_done: Callable[[str, float], None]
    opened: Callable[[Run, Callable[[], None]], None] | None = None
    redirect: Mapping[str, str] = field(default_factory=dict)
    door: Door | None = None
    step: str = ""
    where: str = ""
    statement: str = ""
    failing: str = ""
    atomic: bool = True
    started: float = 0.0
    began: float = 0.0
    statements: list[tuple[str, float]] = field(default_factory=list)
    locks: list[tuple[str, str]] = field(default_factory=list)
    ask_locks: str = ""

    def start(self, step: str, atomic: bool) -> None:
        """Note that `step` begins."""
        self.step, self.atomic, self.statement, self.failing = step, atomic, "", ""
        self.statements, self.locks = [], []
        self.started = time.monotonic()
        if self.door is not None:
            self.atomic = self.door.begin(step, atomic)
        self.on_start(step)

    def finish(self) -> None:
        """Note that the running step ended well."""
        if self.step:
            self.on_done(self.step, time.monotonic() - self.started)
            self.step = ""

    def around(self, session: AppSession, sql: str, execute: Callable[[], Any]) -> Any:
        """Run one statement of the framework's; `execute` sends it."""
        self.sending(sql)
        try:
            result = self.through(session, sql, execute)
        except Exception:
            self.failed(sql)
            raise
        self.done(sql, session.run)
        return result

    def through(self, session: AppSession, sql: str, execute: Callable[[], Any]) -> Any:
        """Run one statement through the door, where there is one."""
        return execute() if self.door is None else self.door.call(session, sql, execute)

    def sending(self, sql: str) -> None:
        """Note the statement that is sent."""
        self.statement = sql
        self.began = time.monotonic()

    def done(self, sql: str, run: Run) -> None:
        """Note that the statement ended well, and which locks its transaction now holds."""
        sent = self.door.sent(sql) if self.door is not None else sql
        self.statements.append((sent, time.monotonic() - self.began))
        if self.ask_locks and sql.upper().lstrip().startswith(DDL):
            found = {(str(row[0]), str(row[1])) for row in run(self.ask_locks)}
            self.locks += sorted(found - set(self.locks))

    def failed(self, sql: str) -> None:
        """Note the first statement that raised: what is sent after it is clean-up."""
        self.failing = self.failing or sql

    @property
    def place(self) -> str:
        """The schema in words, where a step runs in several."""
        return f" in schema {self.where}" if self.where else ""

    @property
    def shown(self) -> str:
        """The statement of the user's that failed, or came last, on one line.

        What a framework sends around a step (PRAGMA, SAVEPOINT) tells its author nothing.
        """
        sent = [self.failing] if self.failing else []
        sent += [self.statement, *(sql for sql, _ in reversed(self.statements))]
        own = (sql for sql in sent if not sql.upper().lstrip().startswith(AROUND))
        return " ".join(next(own, "").split())


class Project(Protocol):
    """A source tree with one framework in it. Nothing is imported until a method needs it."""

    framework: str
    root: Path
    ids_are_file_names: bool  # or an edit of a file can change which steps there are
    noticed: list[Noticed]  # what its code applied by itself, while it was loaded

    def load(self) -> Any:
        """Import what is needed to apply steps; each later call costs nothing."""

    def connections(self) -> list[Connection]:
        """Return the databases to gate, the main one first; loads the settings."""

    def steps(self, alias: str) -> list[Step]:
        """Return every step of the code for that database; loads the framework."""

    def conflicts(self, steps: Sequence[Step]) -> dict[str, list[str]]:
        """Return what keeps the framework from applying anything: by part, its several ends."""

    def step_folders(self) -> list[str]:
        """Return every folder that steps are read from, also those that don't exist yet."""

    def recorded_sql(self, connection: Connection) -> str:
        """Return the SELECT whose rows, as text, say what is applied."""

    def recorded_ids(self, steps: Sequence[Step], rows: Sequence[Sequence[str]]) -> frozenset[str]:
        """Turn those rows into the ids of applied steps."""

    def apply(self, connection: Connection, target: str, applying: Applying) -> None:
        """Apply the pending steps through the framework's own executor, in this process."""

    def undoing(self, alias: str, steps: Sequence[Step]) -> list[Undo]:
        """Say of each step what undoing it does; loads the framework, touches no database."""

    def undo(
        self,
        connection: Connection,
        steps: Sequence[Step],
        remaining: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Undo these steps, in this order; `remaining` are those that stay applied."""

    def record(
        self,
        connection: Connection,
        steps: Sequence[Step],
        level: Sequence[Step],
        applying: Applying,
    ) -> None:
        """Record these steps as applied without running them; `level` is all that then is."""

    def static_files(self) -> StaticFiles | None:
        """Return what is collected, or None when the project collects nothing."""

    def collect_static(self) -> str:
        """Collect; return one line on what was done."""

    def identity(self) -> dict[str, str]:
        """Return what names this configuration (settings module, ini file, section)."""


class Finder(Protocol):
    """Finds a framework's project in a folder: each framework module has one function `find`.

    A second one, `almost(root)`, returns the UsageProblem of a project that lacks one thing.
    """

    def __call__(self, root: Path, environ: Mapping[str, str]) -> Project | None:
        """Return the project, or None when there is no sign of this framework."""
