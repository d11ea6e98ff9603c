"""`apply`, and `migrate --forms`, in a one-off container of the project: the plan goes along."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.contracts.target import Target, Teller
from tidegate.workflows.plan.there import laid_over
from tidegate.workflows.update import alone, insiding, standing

PLACE = "/tidegate-plan.json"


def apply(target: Target, tell: Teller, path: str, words: Sequence[str]) -> Mapping[str, Any]:
    """Apply a plan with the code that it was rehearsed with; return the inside's document."""
    standing.prepared(target, target.migrator, tell)
    mounts, user = laid_over(target)
    what = "with this folder's code" if mounts else "with the image's code"
    service = target.migrator
    tell.stage("apply", "", f"in a one-off container of the service {service}, {what}")
    with lent(path) as plan:
        said = insiding.work(
            target.inside(
                ("--format", "jsonl", "apply", PLACE, *words), service,
                mounts={**mounts, **plan}, user=user,
            ),
            target.number("migrate_timeout"),
            tell,
            lambda: insiding.end_leftovers(target, tell),
        )  # fmt: skip
    return next((one["apply"] for one in said if one["stage"] == insiding.RESULT), {})


def migrate(
    target: Target, tell: Teller, words: Sequence[str], forms: str
) -> Sequence[Mapping[str, Any]]:
    """Apply the pending steps; `forms` is a plan of this machine, else one of the image's."""
    if not forms:
        return alone.migrate(target, tell, words)
    if not Path(forms).is_file():
        return alone.migrate(target, tell, [*words, "--forms", forms])
    with lent(forms) as plan:
        return alone.migrate(target, tell, [*words, "--forms", PLACE], plan)


@contextmanager
def lent(path: str) -> Iterator[dict[str, str]]:
    """Give the mount by which a container sees a plan, whoever its user is."""
    with tempfile.TemporaryDirectory(prefix="tidegate-apply-") as folder:
        copy = Path(folder, "plan.json")
        copy.write_bytes(Path(path).read_bytes())
        copy.chmod(0o644)
        yield {PLACE: f"{copy}:ro"}
