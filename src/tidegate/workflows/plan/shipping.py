"""`apply` in a one-off container of the project: the plan goes along."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tidegate.contracts.target import Target, Teller
from tidegate.workflows.plan.there import laid_over
from tidegate.workflows.update import insiding, standing

PLACE = "/tidegate-plan.json"


def apply(target: Target, tell: Teller, path: str, words: Sequence[str]) -> None:
    """Apply a plan with the code that it was rehearsed with."""
    standing.prepared(target, target.migrator, tell)
    mounts, user = laid_over(target)
    what = "with this folder's code" if mounts else "with the image's code"
    service = target.migrator
    tell.stage("apply", "", f"in a one-off container of the service {service}, {what}")
    with tempfile.TemporaryDirectory(prefix="tidegate-apply-") as folder:
        copy = Path(folder, "plan.json")  # whoever the container's user is can read it
        copy.write_bytes(Path(path).read_bytes())
        copy.chmod(0o644)
        insiding.work(
            target.inside(
                ("--format", "jsonl", "apply", PLACE, *words), service,
                mounts={**mounts, PLACE: f"{copy}:ro"}, user=user,
            ),
            target.number("migrate_timeout"),
            tell,
            lambda: insiding.end_leftovers(target, tell),
        )  # fmt: skip
