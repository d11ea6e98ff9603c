"""Applications that migrate while they are loaded: a `migrate` in `ready()`, or at an import."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import Noticed
from tidegate.model.callers import caller


@contextlib.contextmanager
def noticing(root: Path, noticed: list[Noticed]) -> Iterator[None]:
    """Note what is applied meanwhile. It can't be held back: the code after it may need it."""
    from django.db.migrations.executor import MigrationExecutor

    original = MigrationExecutor.migrate

    def migrate(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = _rows(self)
        done = original(self, *args, **kwargs)
        after = _rows(self)
        if after != before:
            where = caller(root, ("manage.py",))
            noticed.append(Noticed(self.connection.alias, where, before, after))
        return done

    MigrationExecutor.migrate = migrate
    try:
        yield
    finally:
        MigrationExecutor.migrate = original


def _rows(executor: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(executor.recorder.applied_migrations()))
