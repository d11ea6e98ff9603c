"""The way up: every pending step, traced, and the running release tried after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidegate.contracts.framework import Applying
from tidegate.model.connection import Connection
from tidegate.rehearsal.losses import Losses
from tidegate.rehearsal.release import Release
from tidegate.rehearsal.session import AppSession, SideSession
from tidegate.rehearsal.shapes import Shape
from tidegate.rehearsal.trace import Tracer
from tidegate.rehearsal.with_alembic import AlembicRehearsal
from tidegate.rehearsal.with_django import DjangoRehearsal


class WayUp:
    """One rehearsal's. `side` is a connection of our own; there is none beside SQLite's."""

    def __init__(
        self,
        runs: DjangoRehearsal | AlembicRehearsal,
        connection: Connection,
        emit: Callable[[dict[str, Any]], None],
        losses: Losses,
        side: Any,
    ) -> None:
        self.runs = runs
        self.connection = connection
        self.emit = emit
        self.losses = losses
        self.side = side
        self.release: Release | None = None
        self.applying = Applying(on_start=lambda step: None, on_done=lambda step, seconds: None)
        self._ours: Exception | None = None  # an error of our own, in the middle of a step

    def go(self, tracer: Tracer, shapes: Sequence[Shape]) -> Exception | None:
        """Apply all that is pending; return the error of the step that failed."""
        atomic: dict[str, bool] = {}

        def on_start(step: str) -> None:
            session = self.runs.session(self.connection)
            if self.release is None and session.raw is not None:
                self._learn(session, shapes)
            atomic[step] = self.applying.atomic
            tracer.session = session if session.raw is not None else None
            tracer.begin(step)

        def on_done(step: str, seconds: float) -> None:
            tracer.finish()
            session = self.runs.session(self.connection)
            broken = self._try_release(session, tracer)
            self.emit({"event": "applied", "step": step, "seconds": round(seconds, 4),
                       "atomic": atomic.get(step, True), "broken": broken,
                       "lost": self.losses.since(session, self.losses.deployed)})  # fmt: skip

        self.applying = Applying(on_start=self._guarded(on_start), on_done=self._guarded(on_done))
        self.runs.tracer = tracer
        try:
            self.runs.up(self.connection, self.applying)
        except Exception as error:
            if self._ours is not None:
                raise self._ours from None
            return error
        finally:
            tracer.on = False
            self.runs.tracer = None
        return None

    def _guarded(self, call: Callable[..., None]) -> Callable[..., None]:
        """Keep an error of our own apart from one of the step that it happens in."""

        def guarded(*args: Any) -> None:
            try:
                call(*args)
            except Exception as error:
                self._ours = error
                raise

        return guarded

    def _learn(self, session: AppSession, shapes: Sequence[Shape]) -> None:
        """Find out what of the running release works at the deployed level."""
        self.release = Release(self._beside(session), shapes)
        self.emit({"event": "release", "statements": len(self.release.statements),
                   "from": "models" if self.release.models else "schema",
                   "unnamed": self.release.unnamed})  # fmt: skip

    def _beside(self, session: AppSession) -> AppSession | SideSession:
        """Return our own session, which finds tables where the app's finds them."""
        if self.side is None:
            return session
        path = str(session.run("SELECT current_setting('search_path')")[0][0]).replace("'", "''")
        self.side.query(f"SELECT set_config('search_path', '{path}', false)")
        return SideSession(self.side)

    def _try_release(self, session: AppSession, tracer: Tracer) -> list[dict[str, str]]:
        if self.release is None:
            return []
        return self.release.check(session, None if tracer.everything_touched else tracer.touched)
