"""`apply` through the project's target: the plan goes along, and a person's word is asked here."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tidegate.container import approval, planned
from tidegate.contracts.target import Target, Teller
from tidegate.errors import UsageProblem
from tidegate.workflows.plan.there import laid_over
from tidegate.workflows.update import insiding, standing

PLACE = "/tidegate-plan.json"


def apply(
    target: Target,
    tell: Teller,
    paths: Sequence[str],
    given: str,
    words: Sequence[str],
    environ: Mapping[str, str],
) -> None:
    """Apply a plan in a one-off container, with the code that it was rehearsed with.

    The marks of a coding agent and the approval's record are on this side, so they are looked at
    here; the inside gets the word that was accepted.
    """
    if not paths:
        raise UsageProblem(
            "apply needs a plan",
            "It is the file that `tidegate plan -o FILE` writes.",
            "tidegate apply FILE",
        )
    plan = planned.read(paths[0])
    word = sys.stdin.readline().strip() if given == "-" else given
    approval.refuse_unapproved(plan, word, environ)
    standing.prepared(target, target.migrator, tell)
    mounts, user = laid_over(target)
    what = "with this folder's code" if mounts else "with the image's code"
    service = target.migrator
    tell.stage("apply", "", f"in a one-off container of the service {service}, {what}")
    approved = ("--approve", plan.fingerprint) if plan.needs_approval else ()
    with tempfile.TemporaryDirectory(prefix="tidegate-apply-") as folder:
        copy = Path(folder, "plan.json")  # whoever the container's user is can read it
        copy.write_bytes(Path(paths[0]).read_bytes())
        copy.chmod(0o644)
        insiding.work(
            target.inside(
                ("--format", "jsonl", "apply", PLACE, *approved, *words), service,
                mounts={**mounts, PLACE: f"{copy}:ro"}, user=user,
            ),
            target.number("migrate_timeout"),
            tell,
            lambda: insiding.end_leftovers(target, tell),
        )  # fmt: skip
