"""A rehearsal through the project's target: its process in a one-off container of the backend.

The scratch server is a container of the database's own image beside it, and the target is read
from in there, so nothing but the engine has to be on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tidegate.contracts.target import Target as Services
from tidegate.contracts.target import Teller
from tidegate.errors import UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.model.readiness import Permanent, Transient
from tidegate.process import Command, Result, Talk
from tidegate.targets import archive
from tidegate.workflows.plan import aside as asides
from tidegate.workflows.plan import programs, running, target
from tidegate.workflows.plan import scratch as servers
from tidegate.workflows.plan.here import Dumped, dumper, login
from tidegate.workflows.plan.project import Request
from tidegate.workflows.plan.runner import REHEARSAL, Event, Runner, aside
from tidegate.workflows.plan.running import Running
from tidegate.workflows.update import hostcode, standing

PLACE = "/tidegate-rehearsal.pyz"
START = "import runpy, sys; sys.path.insert(0, {!r}); runpy.run_module({!r}, run_name='__main__')"
QUIET = ("PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "HOME=/tmp")
LOOPBACK = ("localhost", "127.0.0.1", "::1", "")


class There:
    """The project's target."""

    def __init__(
        self, request: Request, services: Services, tell: Teller, stage: str = "plan"
    ) -> None:
        self.request = request
        self.services = services
        self.root = services.workdir()
        self._mounts, self._user = laid_over(services)
        self._server: Future[asides.Aside] | None = None
        self._open = ExitStack()
        what = "with this folder's code" if self._mounts else "with the image's code"
        tell.stage(stage, "", f"in a one-off container of the service {services.backend}, {what}")

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Begin to start the scratch server while the project is loaded."""
        image = standing.image_of(self.services, self.services.database)
        with self._open:
            if image and not self.request.server:
                self._begin(image)
            yield
            if self._server is not None:
                self._server.exception()  # only what has begun can be ended

    def _begin(self, image: str) -> Future[asides.Aside]:
        server = asides.beside(self.services, image)

        def end() -> None:
            if not made.exception():
                server.__exit__(None, None, None)

        made = aside(server.__enter__)
        self._open.callback(end)
        self._server = made
        return made

    @contextmanager
    def process(self, module: str = REHEARSAL) -> Iterator[Runner]:
        """Start the process."""
        with Talk(self._once(module, self._mounts, self._user), apart=True) as talk:
            yield Runner(talk, self._translated)

    def _once(
        self, module: str, mounts: Mapping[str, str], user: str, configuration: str = ""
    ) -> Command:
        pyz = archive.cached(self.request.environ or os.environ)
        return self.services.once(
            self.services.backend, (self.services.python(), "-c", START.format(PLACE, module)),
            user=user, mounts={**mounts, PLACE: f"{pyz}:ro"}, environ=QUIET,
            configuration=configuration,
        )  # fmt: skip

    def running(self, connection: Connection, login: dict[str, str]) -> Running:
        """Ask the image that runs, without this folder's code over it, for its models."""
        return running.ask(self.services, self.root, connection.alias, login,
                           lambda file: self._once(REHEARSAL, {}, "", file))  # fmt: skip

    def _translated(self, event: Event) -> Event:
        """Name the files as they are called on this machine."""
        if event["event"] == "project":
            return {**event, "root": self._here(event["root"])}
        return {**event, "path": self._here(event["path"])} if event.get("path") else event

    def _here(self, path: str) -> str:
        try:
            inner = PurePosixPath(path).relative_to(self.root)
        except ValueError:
            return path
        return str(Path(self.services.source or self.request.root, *inner.parts))

    def look(self, inside: Runner, connection: Connection, recorded_sql: str) -> target.Target:
        """Read the target from in there; one that a URL names from here."""
        one = target.asked_for(self.request, connection)
        if self.request.against:
            return target.look(one, recorded_sql, self.request.environ, connection.user)
        heard: list[Event] = []
        host, port = self.request.place
        inside.ask("target", heard.append, alias=connection.alias, host=host, port=port)
        event = heard[0]
        kind = event.pop("event")
        if kind == "permanent":
            raise Permanent(event["what"], event["meaning"], event["next"])
        if kind == "transient":
            raise Transient(event["reason"])
        if way := event.pop("way"):  # past a pooler
            one = replace(one, **{**way, "password": Secret(way["password"])})
        return target.Target(one, **event)

    def dump(self, found: target.Target | None) -> Dumped:
        """Begin to dump it, with the scratch container's pg_dump."""
        if found is None or found.connection.vendor != "postgresql":
            return None
        return aside(lambda: target.dump(found, self._pg_dump(found)))

    def _pg_dump(
        self, found: target.Target
    ) -> Callable[[Sequence[str], Mapping[str, str]], Result]:
        if self.request.server or (self.request.against and programs.installed()):
            return dumper(programs.nearest(found.major))
        server = self._started(found.major)
        return lambda words, environ: server.program("pg_dump", words, environ)

    def _started(self, major: int) -> asides.Aside:
        return (self._server or self._begin(f"postgres:{major or 18}")).result()

    def scratch(
        self,
        inside: Runner,
        connection: Connection,
        found: target.Target | None,
        extensions: Sequence[str],
    ) -> AbstractContextManager[tuple[servers.Server | None, dict[str, str]]]:
        """Make the scratch database."""
        if connection.vendor == "sqlite":
            return self._copy(inside, connection, found)
        return self._database(found.connection.name if found else connection.name, found)

    @contextmanager
    def _copy(
        self, inside: Runner, connection: Connection, found: target.Target | None
    ) -> Iterator[tuple[None, dict[str, str]]]:
        heard: list[Event] = []
        inside.ask("copy", heard.append, alias=connection.alias, filled=found is not None)
        yield None, {"vendor": "sqlite", "name": heard[0]["name"]}

    @contextmanager
    def _database(
        self, wanted: str, found: target.Target | None
    ) -> Iterator[tuple[servers.Server, dict[str, str]]]:
        major = found.major if found else 0
        if self.request.server:
            chosen = programs.nearest(major)
            made = servers.given(self.request.server, chosen, self.request.environ)
            server = self._open.enter_context(made)
            if server.host in LOOPBACK:
                raise UsageProblem(
                    f"--scratch names {server.host}, which is another machine in a container",
                    f"The steps run in a container of {self.services.backend}.",
                    "give the address that the project's containers know, leave --scratch out, "
                    "or rehearse on this machine: --local",
                )
        else:
            server = self._started(major)
        with servers.database(server, wanted) as name:
            yield server, login(server, name)


def laid_over(services: Services) -> tuple[dict[str, str], str]:
    """Return the mounts of this folder's code, and whose they are, where the image is built of it.

    An image that is only pulled may be newer than what lies here.
    """
    backend = next(one for one in services.services if one.name == services.backend)
    if not (backend.built and services.source):
        return {}, ""
    user = hostcode.owner(Path(services.source))
    if user and not services.database:  # SQLite's file belongs to the app's user
        user = hostcode.ROOT
    return hostcode.mounts(services), user
