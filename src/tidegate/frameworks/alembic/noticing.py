"""Applications that migrate while they are loaded: an `upgrade()` in Flask's `create_app`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tidegate.contracts.framework import Noticed
from tidegate.model.callers import caller


@contextlib.contextmanager
def noticing(root: Path, alias: str, noticed: list[Noticed]) -> Iterator[None]:
    """Note what is applied meanwhile. It can't be held back: the code after it may need it."""
    from alembic.runtime.migration import MigrationContext

    original = MigrationContext.run_migrations

    def run_migrations(self: Any, **kwargs: Any) -> None:
        before = () if self.as_sql else _rows(self)
        original(self, **kwargs)
        after = () if self.as_sql else _rows(self)
        if after != before:
            noticed.append(Noticed(alias, caller(root, ("env.py",)), before, after))

    MigrationContext.run_migrations = run_migrations  # type: ignore[method-assign]
    try:
        yield
    finally:
        MigrationContext.run_migrations = original  # type: ignore[method-assign]


def _rows(context: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted((head,) for head in context.get_current_heads()))
