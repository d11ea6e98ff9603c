"""The project's own hooks for a new revision (ruff, black): an image may lack what they start.

A production image often does. The revision is written and good; that it is not formatted is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def forgiving() -> Iterator[list[str]]:
    """Yield what is to be said of hooks that could not be started."""
    from alembic.script import write_hooks

    said: list[str] = []
    runners: dict[str, Any] = getattr(write_hooks, "_registry", {})
    before = dict(runners)
    runners.update({kind: _lenient(run, said) for kind, run in before.items()})
    try:
        yield said
    finally:
        runners.update(before)


def _lenient(run: Callable[..., Any], said: list[str]) -> Callable[..., Any]:
    from alembic.util import CommandError

    def hook(path: str, options: Any, *more: Any) -> Any:
        try:
            return run(path, options, *more)
        except (OSError, CommandError) as error:
            why = f"{error.filename} is not here" if isinstance(error, FileNotFoundError) else error
            name = options.get("_hook_name", "of the project")
            said.append(f"not formatted by the hook {name}: {why}")
            return None

    return hook
