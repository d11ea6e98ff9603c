"""The explicit word of a person for exactly one plan, before anything is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from tidegate.container.origin import agent
from tidegate.errors import PolicyRefused


def fingerprint(*parts: str) -> str:
    """Return a short name for a plan; it changes with any of its parts."""
    return sha256("\0".join(parts).encode()).hexdigest()[:12]


def need_word(
    given: str, plan: str, loses: Sequence[str], command: str, environ: Mapping[str, str]
) -> None:
    """Return when `given` is the word for this plan; else refuse, and say what would be lost."""
    helper = agent(environ)
    if given == plan and not helper:
        return
    lost = "\n".join(loses)
    if given == plan:
        raise PolicyRefused(
            f"the word for plan {plan} has to come from a person",
            f"{helper} runs this command, and may ask for it but not give it.\n{lost}",
            f"a person runs: {command} --approve {plan}",
        )
    what = f"{given} is the word for another plan" if given else "this loses data"
    raise PolicyRefused(
        f"{what}; nothing was changed", lost, f"if that is meant: {command} --approve {plan}"
    )
