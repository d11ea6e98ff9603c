"""Django's historical models are rendered once where the same ones are asked for again.

Rendering hundreds of models takes longer than the steps themselves, and a rehearsal asks for those
of the deployed level four times. The way up gets a registry of its own, as Django's own command
has it; the ways down and up again get copies of one that nobody changes, which is how Django's
executor hands states on when it goes back.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Rendering:
    """What is rendered in this process. `install` puts it in front of Django's own."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Any, Any]] = {}  # the states as well: keys hold their ids
        self._shares = False
        self._keeps = False
        self._render: Any = None

    def install(self) -> None:
        """Stand between a state and its rendering; remember which settings swap a model."""
        from django.apps import apps as registry
        from django.db.migrations.state import ProjectState
        from django.utils.functional import cached_property

        self._render = ProjectState.apps.func
        ours = cached_property(lambda state: self._apps(state))
        ours.__set_name__(ProjectState, "apps")
        ProjectState.apps = ours
        # It goes over all models for each foreign key, and nothing of that changes any more.
        registry.get_swappable_settings_name = functools.cache(registry.get_swappable_settings_name)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """What is rendered now is only looked at, and is the next one's that asks for it."""
        self._keeps = True
        try:
            yield
        finally:
            self._keeps = False

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Whoever asks gets a copy of what was rendered before."""
        self._shares = True
        try:
            yield
        finally:
            self._shares = False

    def _apps(self, state: Any) -> Any:
        key = _key(state)
        if not (self._shares or self._keeps):
            found, _ = self._kept.pop(key, (None, None))
            return found if found is not None else self._render(state)
        if key not in self._kept:
            self._kept[key] = (self._render(state), list(state.models.values()))
        apps = self._kept[key][0]
        return apps.clone() if self._shares else apps


def _key(state: Any) -> Any:
    """Return what two states have in common that render to the same models."""
    models = tuple(
        (name, tuple((field, id(one)) for field, one in model.fields.items()),
         repr(model.options), tuple(map(repr, model.bases)), tuple(map(repr, model.managers)))
        for name, model in sorted(state.models.items())
    )  # fmt: skip
    return tuple(sorted(state.real_apps)), models
