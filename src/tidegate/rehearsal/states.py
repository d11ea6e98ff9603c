"""Django's states between operations, worked out once for the way down and the second way up.

Django works out the state after each operation twice on the way down, and again on the way up; with
foreign keys that connect hundreds of models each time renders all of these. An operation on a state
that it was on before leads to the state that it led to then. What it leads to is made on a copy and
stays as it is, registry and all, so a model's relations are those of its own moment; a state that
goes on from there is copied first.

A state is known by a mark that its copies carry. One that was changed in any other way has none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MARK = "_tidegate_mark"
ROOM = 120_000  # models of all states that are kept: about 200 MB


class States:
    """What operations led to in this process, while `remembering`."""

    def __init__(self) -> None:
        self._led: dict[tuple[int, int, str], tuple[Any, Any]] = {}  # operations keep their ids
        self._kept = 0
        self._marks = itertools.count(1)
        self._deep = False

    def forget(self) -> None:
        """Let all of them go."""
        self._led.clear()
        self._kept = 0

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Stand between operations and the states that they change."""
        from django.db.migrations.operations.base import Operation
        from django.db.migrations.state import ProjectState

        wrapped = [(cls, "state_forwards", cls.__dict__["state_forwards"])
                   for cls in below(Operation) if "state_forwards" in cls.__dict__]  # fmt: skip
        for cls, name, original in wrapped:
            setattr(cls, name, self._forwards(original))
        clone = ProjectState.clone
        ProjectState.clone = self._clone(clone)
        try:
            yield
        finally:
            ProjectState.clone = clone
            for cls, name, original in wrapped:
                setattr(cls, name, original)

    def _clone(self, original: Any) -> Any:
        def clone(state: Any) -> Any:
            if "apps" in state.__dict__ and MARK not in state.__dict__:
                setattr(state, MARK, next(self._marks))
            made = original(state)
            if MARK in state.__dict__:
                setattr(made, MARK, getattr(state, MARK))
            return made

        return clone

    def _forwards(self, original: Any) -> Any:
        def forwards(operation: Any, app_label: str, state: Any) -> None:
            if self._deep:  # of an operation that is made of others, or super() of the same one
                original(operation, app_label, state)
                return
            self._deep = True
            try:
                self._lead(original, operation, app_label, state)
            finally:
                self._deep = False

        return forwards

    def _lead(self, original: Any, operation: Any, app_label: str, state: Any) -> None:
        """Bring a state to what the operation leads to."""
        if "apps" not in state.__dict__ or self._kept + len(state.models) > ROOM:
            if MARK in state.__dict__:  # what is kept may be in it
                _become(state, state.clone())
                del state.__dict__[MARK]
            original(operation, app_label, state)
            return
        if MARK not in state.__dict__:
            setattr(state, MARK, next(self._marks))
        key = (getattr(state, MARK), id(operation), app_label)
        if key in self._led:
            _become(state, self._led[key][1])
            return
        after = state.clone()
        original(operation, app_label, after)
        setattr(after, MARK, next(self._marks))
        self._led[key] = (operation, after)
        self._kept += len(after.models)
        _become(state, after)


def _become(state: Any, other: Any) -> None:
    """Give a state all that another one consists of."""
    state.__dict__.clear()
    state.__dict__.update(other.__dict__)


def below(cls: Any) -> Iterator[Any]:
    """Yield a class and all that are derived from it."""
    yield cls
    for one in cls.__subclasses__():
        yield from below(one)
