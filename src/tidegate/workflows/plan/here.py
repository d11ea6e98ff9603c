"""A rehearsal on this machine: the project's own Python, and the embedded PostgreSQL."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from tidegate.errors import NotReady, RefusedForGood, UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.step import Step
from tidegate.process import Command, Result, run
from tidegate.rehearsal.looking import past_pooler
from tidegate.rehearsal.scratch import copy_sqlite
from tidegate.workflows.plan import embedded, programs, scratch, target
from tidegate.workflows.plan.project import Request
from tidegate.workflows.plan.runner import REHEARSAL, Runner, aside, project_python, runner
from tidegate.workflows.plan.running import Running

Dumped = Future[str] | None

EXTENSION = re.compile(
    r"""(?:CREATE EXTENSION\s+(?:IF NOT EXISTS\s+)?|CreateExtension\(\s*)["']?([\w-]+)""", re.I
)
OPERATIONS = {  # Django's own operations, and the extension that each makes
    "BloomExtension": "bloom", "BtreeGinExtension": "btree_gin",
    "BtreeGistExtension": "btree_gist", "CITextExtension": "citext",
    "CryptoExtension": "pgcrypto", "HStoreExtension": "hstore",
    "TrigramExtension": "pg_trgm", "UnaccentExtension": "unaccent",
}  # fmt: skip


class Place(Protocol):
    """Where a rehearsal takes place."""

    root: str  # the project's folder, as the process sees it

    def preparing(self) -> AbstractContextManager[None]:
        """Begin what takes a while and will be wanted."""

    def process(self, module: str = REHEARSAL) -> AbstractContextManager[Runner]:
        """Start a process of the project's own Python; `module` says what it can be asked."""

    def look(self, inside: Runner, connection: Connection, recorded_sql: str) -> target.Target:
        """Read the target. Raises as `Database.session`."""

    def dump(self, found: target.Target | None) -> Dumped:
        """Begin to dump the target's schema; None where there is nothing to dump."""

    def scratch(
        self, inside: Runner, connection: Connection, found: target.Target | None,
        extensions: Sequence[str],
    ) -> AbstractContextManager[tuple[scratch.Server | None, dict[str, str]]]:  # fmt: skip
        """Make the scratch database; for SQLite there is no server."""

    def running(self, connection: Connection, login: dict[str, str]) -> Running:
        """Ask the code of the release that runs for its models, where it can be had."""


class Here:
    """This machine."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.root = str(request.root)
        self._python = project_python(request.root, request.python, request.environ)

    def preparing(self) -> AbstractContextManager[None]:
        """Begin to start a server while the project is loaded: most often it is the one wanted."""
        try:
            return nullcontext() if self.request.server else embedded.begun(programs.nearest(0))
        except UsageProblem:
            return nullcontext()  # SQLite needs none

    def process(self, module: str = REHEARSAL) -> AbstractContextManager[Runner]:
        """Start a process of the project's own Python."""
        return runner(self.request.root, self._python, self.request.environ, None, module)

    def look(self, inside: Runner, connection: Connection, recorded_sql: str) -> target.Target:
        """Read the target from this process."""
        one = target.asked_for(self.request, connection)
        if one == connection:
            one = past_pooler(one, self.request.environ)
        return target.look(one, recorded_sql, self.request.environ, connection.user)

    def dump(self, found: target.Target | None) -> Dumped:
        """Begin to dump it: that goes on while the scratch server starts."""
        if found is None or found.connection.vendor != "postgresql":
            return None
        return aside(lambda: target.dump(found, dumper(programs.nearest(found.major))))

    def scratch(
        self,
        inside: Runner,
        connection: Connection,
        found: target.Target | None,
        extensions: Sequence[str],
    ) -> AbstractContextManager[tuple[scratch.Server | None, dict[str, str]]]:
        """Make the scratch database."""
        return scratch_of(self.request, connection, found, extensions)

    def running(self, connection: Connection, login: dict[str, str]) -> Running:
        """Nothing on this machine says which code runs."""
        return Running()


def dumper(chosen: programs.Programs) -> Callable[[Sequence[str], Mapping[str, str]], Result]:
    """Return what runs pg_dump on this machine."""

    def pg_dump(words: Sequence[str], environ: Mapping[str, str]) -> Result:
        argv = (chosen.path("pg_dump"), *words)
        command = Command(argv, environ=environ, secrets=(environ["PGPASSWORD"],))
        return run(command, timeout=300.0, exact=True)

    return pg_dump


def target_of(
    request: Request, look: Callable[[], target.Target], shown: str
) -> target.Target | None:
    """Look at the target; None where the level is given in words."""
    if (request.start or request.since) and not (request.against or request.place[0]):
        return None
    try:
        return look()
    except Permanent as error:
        raise RefusedForGood(error.what, error.meaning, _other_ways(error.next)) from None
    except Transient as error:
        if "55P03" in error.reason:  # PostgreSQL's code for a lock that was not to be had
            raise NotReady(
                f"the schema of {shown} can't be read now: somebody holds a table of it locked",
                "Reading what a view is made of waits for its tables; it was given up after 5 s.",
                "try again when that transaction has ended: see pg_stat_activity",
            ) from None
        raise NotReady(
            f"{shown} can't be reached: {error.reason}",
            "The plan needs to know where the deployed schema stands.",
            _other_ways(""),
        ) from None


def _other_ways(first: str) -> str:
    ways = ("name the deployed database with --against URL, or the deployed level with "
            "--from STEP, --from zero or --since GIT_REF")  # fmt: skip
    return f"{first}\n{ways}" if first else ways


@contextmanager
def scratch_of(
    request: Request,
    connection: Connection,
    found: target.Target | None,
    extensions: Sequence[str],
) -> Iterator[tuple[scratch.Server | None, dict[str, str]]]:
    """Make a scratch database: a copy of SQLite's file, or one on a server."""
    if connection.vendor == "sqlite":
        folder = Path(tempfile.mkdtemp(prefix="tidegate-plan-"))
        try:
            copy = folder / "scratch.sqlite3"
            source = Path(found.connection.name) if found else None
            if source is not None and source.exists():
                copy_sqlite(source, copy)
            yield None, {"vendor": "sqlite", "name": str(copy)}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    chosen = programs.nearest(found.major if found else 0, extensions)
    made = (scratch.given(request.server, chosen, request.environ) if request.server
            else embedded.embedded(chosen))  # fmt: skip
    wanted = found.connection.name if found else connection.name
    with made as server, scratch.database(server, wanted) as name:
        yield server, login(server, name)


def login(server: scratch.Server, name: str) -> dict[str, str]:
    """Return how the project's process reaches the scratch database."""
    return {"vendor": "postgresql", "name": name, "host": server.host, "port": server.port,
            "user": server.user, "password": server.password}  # fmt: skip


def made_by(steps: Sequence[Step]) -> list[str]:
    """Return the extensions that the steps' files name, so that a server is chosen that has them.

    A guess by text; a wrong one only changes which installed server comes first.
    """
    found: set[str] = set()
    for one in steps:
        try:
            text = Path(one.path).read_text("utf-8", "replace")
        except OSError:
            continue
        found.update(EXTENSION.findall(text))
        found.update(name for word, name in OPERATIONS.items() if word in text)
    return sorted(found)
