"""One thing alone through the project's target: the migration, adopting, the static files.

No service is restarted; what they need is started.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.contracts.target import Target, Teller
from tidegate.workflows.update import insiding, standing


def adopt(target: Target, tell: Teller, words: Sequence[str]) -> list[Mapping[str, Any]]:
    """Adopt in a one-off container; return what was found, as the inside says it."""
    standing.prepared(target, target.migrator, tell)
    tell.stage("adopt", "", f"in a one-off container of the service {target.migrator}")
    said = insiding.work(
        target.inside(("--format", "jsonl", "adopt", *words)),
        target.number("migrate_timeout"),
        tell,
        lambda: insiding.end_leftovers(target, tell),
    )
    return [one for one in said if one["stage"] == insiding.RESULT]


def migrate(
    target: Target, tell: Teller, words: Sequence[str], mounts: Mapping[str, str] | None = None
) -> list[Mapping[str, Any]]:
    """Apply the pending steps in a one-off container; no service is restarted.

    Return what it did, as the inside says it.
    """
    return _alone(target, tell, "migrate", target.migrator, words, mounts)


def collectstatic(target: Target, tell: Teller, words: Sequence[str]) -> None:
    """Collect in a one-off container of the backend, which has its volumes."""
    _alone(target, tell, "collectstatic", target.backend, words)


def _alone(
    target: Target,
    tell: Teller,
    verb: str,
    service: str,
    words: Sequence[str],
    mounts: Mapping[str, str] | None = None,
) -> list[Mapping[str, Any]]:
    standing.prepared(target, service, tell)
    tell.stage(verb, "", f"in a one-off container of the service {service}")
    with insiding.knowing(target):
        said = insiding.work(
            target.inside(("--format", "jsonl", verb, *words), service, mounts=mounts or {}),
            target.number("migrate_timeout"),
            tell,
            lambda: insiding.end_leftovers(target, tell),
        )
    return [one for one in said if one["stage"] == insiding.RESULT]
