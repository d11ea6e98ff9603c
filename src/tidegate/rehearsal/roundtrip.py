"""Down as far as it goes, then up again: the schema is compared at both ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tidegate.contracts.framework import Applying
from tidegate.databases import pgschema
from tidegate.model.connection import Connection
from tidegate.rehearsal.losses import Losses
from tidegate.rehearsal.with_alembic import AlembicRehearsal
from tidegate.rehearsal.with_django import DjangoRehearsal

Failed = Callable[[str, Applying, Exception], None]


class Schema(Protocol):
    """Reads the scratch database."""

    def __call__(self, when: str) -> list[str]:
        """Tell what it consists of, and return it."""


class RoundTrip:
    """The way back of one rehearsal. `whole` says that its level is where the steps begin."""

    def __init__(
        self,
        runs: DjangoRehearsal | AlembicRehearsal,
        connection: Connection,
        emit: Callable[[dict[str, Any]], None],
        schema: Schema,
        losses: Losses,
        failed: Failed,
        whole: bool,
    ) -> None:
        self.runs = runs
        self.connection = connection
        self.emit = emit
        self.schema = schema
        self.losses = losses
        self.failed = failed
        self.whole = whole

    def go(self, pending: Sequence[str], base: list[str], top: list[str]) -> None:
        """Take the steps back and apply them again; tell how the schema differs."""
        irreversible = self.runs.reversible(pending)
        self.emit({"event": "irreversible", "steps": irreversible})
        if folded := self.runs.folded(pending):
            self.emit({"event": "folded", "steps": folded})
            return
        down: list[str] = []
        for step in reversed(pending):
            if step in irreversible:
                break
            down.append(step)
        if not down or not self._down(down):
            return
        bottom = self.schema("down")
        if len(down) == len(pending) and self.whole:
            self._compared("down", base, bottom)
        quiet = Applying(on_start=lambda step: None, on_done=lambda step, seconds: None)
        try:
            self.runs.again(self.connection, down[::-1], quiet)
        except Exception as error:
            self.failed("again", quiet, error)
            return
        self._compared("again", top, self.schema("again"))

    def _down(self, down: list[str]) -> bool:
        self.losses.begin()

        def on_done(step: str, seconds: float) -> None:
            self.emit({"event": "taken-back", "step": step, "seconds": round(seconds, 4),
                       "lost": self.losses.since(self.runs.session(self.connection))})  # fmt: skip

        applying = Applying(on_start=lambda step: None, on_done=on_done)
        try:
            self.runs.down(self.connection, down, applying)
        except Exception as error:
            self.failed("down", applying, error)
            return False
        return True

    def _compared(self, way: str, before: list[str], now: list[str]) -> None:
        self.emit({"event": "compared", "way": way,
                   "difference": pgschema.difference(before, now)})  # fmt: skip
