"""The rehearsal: build the level, go up traced, down, up again; the release is tried at each step.

The story is `perform`. Everything that is learned goes out as events; nothing is judged here.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import Applying, Project
from tidegate.databases import pgschema, sqliteschema
from tidegate.frameworks.alembic import AlembicProject
from tidegate.frameworks.django import DjangoProject
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient
from tidegate.rehearsal.deleting import deletions
from tidegate.rehearsal.filling import fill
from tidegate.rehearsal.leftout import LeftOut
from tidegate.rehearsal.load import Load
from tidegate.rehearsal.looking import facts, past_pooler
from tidegate.rehearsal.losses import Losses
from tidegate.rehearsal.onlinedoor import OnlineDoor
from tidegate.rehearsal.pgprobe import PostgresProbe
from tidegate.rehearsal.roundtrip import RoundTrip
from tidegate.rehearsal.scratch import Scratch, copy_sqlite
from tidegate.rehearsal.session import SideSession
from tidegate.rehearsal.shapes import Shape
from tidegate.rehearsal.trace import Tracer
from tidegate.rehearsal.wayup import WayUp
from tidegate.rehearsal.with_alembic import AlembicRehearsal
from tidegate.rehearsal.with_django import DjangoRehearsal

Emit = Callable[[dict[str, Any]], None]


class Rehearsal:
    """One project's rehearsal on one scratch database."""

    def __init__(self, project: Project, emit: Emit) -> None:
        self.project = project
        self.emit = emit
        self.runs: DjangoRehearsal | AlembicRehearsal
        if isinstance(project, DjangoProject):
            self.runs = DjangoRehearsal(project)
        elif isinstance(project, AlembicProject):
            self.runs = AlembicRehearsal(project)
        else:
            raise TypeError(f"no rehearsal for {project.framework}")
        self.runs.prepare()
        self.connections: list[Connection] = project.connections()
        self.vendor = ""
        self._shapes: Sequence[Shape] | None = None
        self._side: Any = None
        self._losses = Losses(None)
        self._half = False  # what the rehearsal began with is not where its steps begin

    def target(self, job: dict[str, Any]) -> None:
        """Read the target from here: where only the app's own network reaches it."""
        connection = next(one for one in self.connections if one.alias == job["alias"])
        if job.get("host"):
            connection = replace(connection, host=job["host"], port=job["port"])
        sql = self.project.recorded_sql(connection)
        try:
            one = connection if job.get("host") else past_pooler(connection, os.environ)
            way = {"host": one.host, "port": one.port, "user": one.user, "name": one.name,
                   "password": one.password.reveal()} if one != connection else {}  # fmt: skip
            found = facts(one, sql, os.environ, connection.user)
            self.emit({"event": "target", "way": way, **found})
        except Permanent as error:
            self.emit({"event": "permanent", "what": error.what, "meaning": error.meaning,
                       "next": error.next})  # fmt: skip
        except Transient as error:
            self.emit({"event": "transient", "reason": error.reason})

    def copy(self, job: dict[str, Any]) -> None:
        """Copy SQLite's file to where it ends with this process's container."""
        copy = Path(tempfile.mkdtemp(prefix="tidegate-plan-")) / "scratch.sqlite3"
        source = next(one.name for one in self.connections if one.alias == job["alias"])
        if job["filled"] and Path(source).exists():
            copy_sqlite(Path(source), copy)
        self.emit({"event": "copied", "name": str(copy)})

    def point(self, job: dict[str, Any]) -> None:
        """Send the project to the scratch database."""
        self.scratch = Scratch.from_job(job["scratch"])
        self.vendor = self.scratch.vendor
        self.connection = next(one for one in self.connections if one.alias == job["alias"])
        if self.vendor == "postgresql":
            self._side = self.scratch.connect()
        self.runs.redirect(self.connection, self.scratch)

    def warm(self, job: dict[str, Any]) -> None:
        """Read off the code what the running release does, while the scratch is filled."""
        self._shapes = self.runs.shapes(self.connection, job["deployed"])

    def models(self, job: dict[str, Any]) -> None:
        """Tell the models of this code: it is the release that runs."""
        if isinstance(self.runs, AlembicRehearsal):
            shapes = [asdict(one) for one in self.runs.models(self.connection)]
            self.emit({"event": "models", "shapes": shapes})

    def build(self, job: dict[str, Any]) -> None:
        """Bring the empty scratch database to the deployed level."""
        began = time.monotonic()
        self.runs.build(self.connection, job["deployed"])
        self.emit({"event": "built", "seconds": round(time.monotonic() - began, 3)})

    def climb(self, job: dict[str, Any]) -> None:
        """Apply every pending step, and tell after each what the schema has gained and lost."""
        level: set[str] = set()

        def look(step: str, seconds: float = 0.0) -> None:
            nonlocal level
            now = set(self._lines())
            self.emit({"event": "level", "step": step, "gone": sorted(level - now),
                       "came": sorted(now - level)})  # fmt: skip
            level = now

        look("")
        applying = Applying(on_start=lambda step: None, on_done=look)
        try:
            self.runs.up(self.connection, applying)
        except Exception as error:
            self._failed("up", applying, error)

    def _lines(self) -> list[str]:
        """Return the schema as the project's own session sees it: before its commit, too."""
        session = self.runs.session(self.connection)
        if self.vendor == "postgresql":
            run = self._side.query if session.raw is None else session.run
            return pgschema.lines(run)
        if session.raw is None:
            return _sqlite_lines(self.scratch.name, sqliteschema.all_lines)
        return sqliteschema.all_lines(session.run)

    def fill(self, job: dict[str, Any]) -> None:
        """Put made-up rows into the tables of the deployed level."""
        if self._side is None:
            return
        done = fill(SideSession(self._side), int(job["rows"]))
        self.emit({"event": "filled", "rows": {one.table: one.rows for one in done if not one.why},
                   "empty": {one.table: one.why for one in done if one.why}})  # fmt: skip

    def perform(self, job: dict[str, Any]) -> None:
        """Go up, down and up again, and tell everything."""
        scratch, connection = self.scratch, self.connection
        base = self.schema("base")
        probe = PostgresProbe(scratch.connect) if scratch.vendor == "postgresql" else None
        tracer = Tracer(
            self.emit,
            probe,
            scratch.vendor,
            connection.version_table
            if self.project.framework == "alembic"
            else "django_migrations",
        )
        if probe:
            probe.begin()
            self.emit({"event": "partitions", "of": pgschema.partitions(self._side.query)})
        self._losses = Losses(self._side.query if probe else None)
        self._losses.begin()
        shapes: Sequence[Shape] | None = [Shape.of(**raw) for raw in job.get("models") or ()]
        shapes = shapes or self._shapes
        if shapes is None:
            shapes = self.runs.shapes(connection, job["deployed"])
        self._half = bool(job.get("journal"))
        if self._half:
            tracer.left_out = LeftOut(job["journal"])
        self._deletions(job["pending"])
        way = WayUp(self.runs, connection, self.emit, self._losses, self._side)
        if (error := way.go(tracer, shapes)) is not None:
            self._failed("up", way.applying, error)
            return
        top = self.schema("up")
        self._recorded("up")
        RoundTrip(self.runs, connection, self.emit, self.schema, self._losses, self._failed,
                  whole=not self._half).go(job["pending"], base, top)  # fmt: skip

    def online(self, job: dict[str, Any]) -> None:
        """Go up in the forms that were chosen, on a scratch database of its own."""
        applying = Applying(on_start=lambda step: None, on_done=lambda step, seconds: None,
                            door=OnlineDoor(job["forms"]))  # fmt: skip
        try:
            self.runs.up(self.connection, applying)
        except Exception as error:
            self._failed("online", applying, error)
            return
        self.schema("online")
        self._recorded("online")

    def loaded(self, job: dict[str, Any]) -> None:
        """Go up, untraced, while a reader and a writer are at work on the tables touched."""
        door = OnlineDoor(job["forms"]) if job["forms"] else None
        running: list[str] = []
        applying = Applying(on_start=running.append, on_done=lambda step, seconds: None, door=door)
        load = Load(self.scratch.connect, job["tables"], lambda: running[-1] if running else "")
        with load.running():
            try:
                self.runs.up(self.connection, applying)
            except Exception as error:
                self._failed("load", applying, error)
                return
        self.emit({"event": "load", **load.document()})

    def _deletions(self, pending: Sequence[str]) -> None:
        """Tell where the code of the steps deletes rows."""
        for step, functions in self.runs.code(pending).items():
            if places := deletions(functions):
                self.emit({"event": "deletes", "step": step, "places": places})

    def _failed(self, way: str, applying: Applying, error: Exception) -> None:
        """Tell what failed on which way, and the line of the step that it was at."""
        paths = {one.id: one.path for one in self.project.steps(self.connection.alias)}
        path, line = paths.get(applying.step, ""), 0
        trace = error.__traceback__
        while trace is not None:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == path else line
            trace = trace.tb_next
        self.emit({"event": "failed", "step": applying.step, "sql": applying.failing, "line": line,
                   "error": f"{type(error).__name__}: {str(error).strip()}"[:2000],
                   "way": way})  # fmt: skip

    # What there is

    def schema(self, when: str) -> list[str]:
        """Tell what the scratch database consists of."""
        if self.vendor == "postgresql":
            lines = pgschema.lines(self._side.query)
        else:
            lines = _sqlite_lines(self.scratch.name)
        self.emit({"event": "schema", "when": when, "lines": lines})
        return lines

    def _recorded(self, when: str) -> None:
        """Tell the framework's own rows."""
        if self.vendor == "postgresql":
            rows = self._side.query(self.project.recorded_sql(self.connection))
            self.emit({"event": "recorded", "when": when, "rows": sorted(map(list, rows))})


def _sqlite_lines(
    path: str, read: Callable[[sqliteschema.Run], list[str]] = sqliteschema.lines
) -> list[str]:
    import sqlite3

    file = sqlite3.connect(path)
    try:
        return read(lambda sql: file.execute(sql).fetchall())
    finally:
        file.close()
