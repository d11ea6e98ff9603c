"""What the handlers of Django's operations share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from tidegate.model.operation import Change
from tidegate.model.schema import Schema
from tidegate.reading.migrations.django_state import Model, Models, name_of
from tidegate.reading.migrations.kinds import Call
from tidegate.reading.migrations.record import Record

Parts = Iterator[tuple[Change, str]]


class Replaying(Protocol):
    """What an operation's handler needs of the replay: the schema and the models so far."""

    schema: Schema
    vendor: str
    models: Models

    def with_owner(self, change: Change) -> Change:
        """Return a change of an index with the table that the index is on."""


Handler = Callable[[Replaying, Call, str, Record], Parts]


def arg(call: Call, index: int, name: str, default: Any = None) -> Any:
    """Return an argument by place or name."""
    if name in call.kwargs:
        return call.kwargs[name]
    return call.args[index] if index < len(call.args) else default


def model_of(self: Replaying, call: Call, app: str) -> Model:
    """Return the model that an operation names."""
    return self.models.get(app, name_of(arg(call, 0, "model_name")))
