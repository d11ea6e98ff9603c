"""A person's word for exactly one plan.

On a terminal, or in a pipeline that a person started, the fingerprint itself is the word. Where a
coding agent's marks are in the environment it is not enough: the agent may have read it off the
plan. Then a record is asked for that `tidegate approve` writes on a terminal; it holds once, and
for an hour.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from tidegate.container.origin import agent
from tidegate.container.planned import Plan
from tidegate.errors import PolicyRefused, UsageProblem

HOLDS = 3600.0  # seconds


def refuse_unapproved(plan: Plan, given: str, environ: Mapping[str, str]) -> None:
    """Raise PolicyRefused unless a person has said yes to exactly this plan."""
    if not plan.needs_approval:
        return
    steps = ", ".join(plan.needs_approval)
    if given != plan.fingerprint:
        wrong = f"{given} is not the fingerprint of this plan." if given else ""
        rewrites = [line for one in plan.rewrites for line in (one["why"], *one["instead"])]
        raise PolicyRefused(
            f"the plan {plan.fingerprint} {_reason(plan)}: {steps}",
            "\n".join(line for line in [wrong, *rewrites, "Nothing was applied."] if line),
            f"look at it, then: tidegate apply PLAN --approve {plan.fingerprint}",
        )
    mark = agent(environ)
    if mark and not spend(plan.fingerprint, environ):
        raise PolicyRefused(
            f"the plan {plan.fingerprint} needs a person's word, and a coding agent ({mark}) runs "
            "this",
            "An agent can ask for an approval, and can't give it to itself. Nothing was applied.",
            f"a person types, on a terminal of their own: tidegate approve {plan.fingerprint}",
        )


def _reason(plan: Plan) -> str:
    """Say what a person has to say yes to."""
    rewritten = {one["step"] for one in plan.rewrites}
    if rewritten >= set(plan.needs_approval):
        return "writes a large table anew while nobody can use it"
    if rewritten:
        return "takes data away, can't be taken back, or writes a large table anew"
    return "takes data away, or can't be taken back"


def _file(fingerprint: str, environ: Mapping[str, str]) -> str:
    state = environ.get("XDG_STATE_HOME") or environ.get("LOCALAPPDATA") or os.path.join(
        environ.get("HOME") or "", ".local", "state")  # fmt: skip
    safe = "".join(c for c in fingerprint if c.isalnum())
    return os.path.join(state, "tidegate", f"approval-{safe}")


def record(fingerprint: str, environ: Mapping[str, str]) -> str:
    """Write the record; return its path."""
    path = _file(fingerprint, environ)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{int(time.time())}\n")
    return path


def spend(fingerprint: str, environ: Mapping[str, str]) -> bool:
    """Use the record up; return whether there was one that still holds."""
    path = _file(fingerprint, environ)
    try:
        with open(path, encoding="utf-8") as file:
            written = float(file.read() or 0)
        os.unlink(path)
    except (OSError, ValueError):
        return False
    return 0 <= time.time() - written <= HOLDS


def taken(argv: list[str], flag: str = "--approve") -> tuple[str, list[str]]:
    """Take `--approve WORD`, or another such option, out of argv."""
    for index, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name != flag:
            continue
        rest = argv[:index] + argv[index + 1 :]
        if not equals:
            if index >= len(rest):
                raise UsageProblem(f"{flag} has no value", "", f"write {flag} VALUE")
            value = rest.pop(index)
        return value, rest
    return "", argv


def said(value: str) -> str:
    """Return the word after `--approve`; `-` stands for a line of standard input."""
    return sys.stdin.readline().strip() if value == "-" else value
