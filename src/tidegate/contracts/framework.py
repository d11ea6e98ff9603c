"""What a migration framework must be able to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tidegate.model.connection import Connection
from tidegate.model.step import Step
from tidegate.model.undoing import Undo


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """Where the framework collects static files to, and the files it collects from."""

    root: str
    sources: tuple[str, ...]
    storage: str = ""


CONNECT_LIMIT = 10  # seconds for a driver's login while steps are applied; some wait for ever

Run = Callable[[str], Sequence[tuple[object, ...]]]
DDL = ("ALTER", "CREATE", "DROP", "LOCK", "TRUNCATE")


@dataclass(slots=True)
class Applying:
    """What a framework tells while it applies, and what it keeps for the error message.

    `on_start(step)` and `on_done(step, seconds)` are called around each step; `opened(run, cut)`
    for each new session, with a function that runs SQL on that very session, in autocommit, and
    one that makes its running statement fail from another thread, without asking the server.
    `redirect` are login fields that replace the project's own (a way round a pooler).
    `statement` is the last SQL sent, `failing` the first that raised, `step` the one that runs,
    `atomic` whether the database takes a failed step back by itself. `statements` are those of
    the running step that ended well, with their seconds, and `locks` what they held (PostgreSQL).
    """

    on_start: Callable[[str], None]
    on_done: Callable[[str, float], None]
    opened: Callable[[Run, Callable[[], None]], None] | None = None
    redirect: Mapping[str, str] = field(default_factory=dict)
    lock_timeout: float = 0.0
    step: str = ""
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
        self.on_start(step)

    def finish(self) -> None:
        """Note that the running step ended well."""
        if self.step:
            self.on_done(self.step, time.monotonic() - self.started)
            self.step = ""

    def sending(self, sql: str, run: Run) -> bool:
        """Note the statement; return whether `sent` must follow it.

        `CREATE INDEX CONCURRENTLY` waits for every older transaction under the lock timeout, yet
        blocks nobody while it waits, and leaves an INVALID index when it gives up: it gets no
        timeout (https://www.postgresql.org/docs/current/sql-createindex.html).
        """
        self.statement = sql
        self.began = time.monotonic()
        if not self.lock_timeout or "CONCURRENTLY" not in sql.upper():
            return False
        run("SET lock_timeout = 0")
        return True

    def done(self, sql: str, run: Run) -> None:
        """Note that the statement ended well, and which locks its transaction now holds."""
        self.statements.append((sql, time.monotonic() - self.began))
        if self.ask_locks and sql.upper().lstrip().startswith(DDL):
            found = {(str(mode), str(name)) for mode, name in run(self.ask_locks)}
            self.locks += sorted(found - set(self.locks))

    def failed(self, sql: str) -> None:
        """Note the first statement that raised: what is sent after it is clean-up."""
        self.failing = self.failing or sql

    def sent(self, run: Run) -> None:
        """Put the lock timeout back."""
        run(f"SET lock_timeout = {int(self.lock_timeout * 1000)}")


class Project(Protocol):
    """A source tree with one framework in it. Nothing is imported until a method needs it."""

    framework: str
    root: Path
    ids_are_file_names: bool  # or an edit of a file can change which steps there are

    def connections(self) -> list[Connection]:
        """Return the databases to gate, the main one first; loads the settings."""

    def steps(self, alias: str) -> list[Step]:
        """Return every step of the code for that database; loads the framework."""

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
    """Finds a framework's project in a folder: each framework module has one function `find`."""

    def __call__(self, root: Path, environ: Mapping[str, str]) -> Project | None:
        """Return the project, or None when there is no sign of this framework."""
