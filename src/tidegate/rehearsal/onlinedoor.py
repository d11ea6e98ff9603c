"""Runs statements in the forms that were chosen for them, to see what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate.databases import pgclasses, pgonline
from tidegate.model.plan import digest
from tidegate.model.sessions import AppSession


class OnlineDoor:
    """What `apply` does with the forms, without its waiting and its journal."""

    def __init__(self, forms: Mapping[str, Mapping[str, list[list[str]]]]) -> None:
        self._all = forms
        self._forms: Mapping[str, list[list[str]]] = {}

    def begin(self, step: str, atomic: bool) -> bool:
        """A step begins: it is taken apart where it has forms."""
        self._forms = self._all.get(step, {})
        return atomic and not self._forms

    def call(self, session: AppSession, sql: str, execute: Callable[[], Any]) -> Any:
        """Run the form, or the statement by itself."""
        name = digest(sql)
        if not self._forms or not (pgclasses.changes_schema(sql) or name in self._forms):
            return execute()
        with pgonline.apart(session):
            if name not in self._forms:
                return execute()
            for group in self._forms[name]:
                pgonline.run(session, group)
        return None

    def sent(self, sql: str) -> str:
        """Return the statement as it was written: the trace of a rehearsal sees what is sent."""
        return sql
