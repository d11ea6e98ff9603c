"""`apply` through the project's target: a person's word is asked on this side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidegate.container import approval, planned
from tidegate.container.origin import who
from tidegate.contracts.target import Target, Teller
from tidegate.errors import UsageProblem
from tidegate.workflows.plan import shipping
from tidegate.workflows.update import proofs
from tidegate.workflows.update.state import State


def apply(
    target: Target,
    tell: Teller,
    paths: Sequence[str],
    given: str,
    words: Sequence[str],
    environ: Mapping[str, str],
    state: State,
) -> Mapping[str, Any]:
    """Apply a plan in a one-off container; return the inside's document.

    The marks of a coding agent and the approval's record are here, and not in there: the inside
    gets the word that was accepted. What the plan's rehearsal has proved counts from now on here,
    wherever it was made.
    """
    if not paths:
        raise UsageProblem(
            "apply needs a plan",
            "It is the file that `tidegate plan -o FILE` writes.",
            "tidegate apply FILE",
        )
    plan = planned.read(paths[0])
    approval.refuse_unapproved(plan, approval.said(given), environ)
    approved = ("--approve", plan.fingerprint) if plan.needs_approval else ()
    done = shipping.apply(target, tell, paths[0], [*approved, *words])
    proofs.share(state, plan.document, target, tell, who(environ))
    return done
