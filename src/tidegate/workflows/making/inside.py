"""Run autogenerate in the project's own Python: in a container with the host's code, or here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidegate.errors import (
    ElectionNotWon,
    NotReady,
    PolicyRefused,
    RefusedForGood,
    StepFailed,
    TidegateError,
    UsageProblem,
)
from tidegate.model.command import Command
from tidegate.process import Result, run
from tidegate.targets import archive

if TYPE_CHECKING:
    from tidegate.workflows.make import Making

PLACE = "/tidegate-authoring.pyz"
START = "import sys; sys.path.insert(0, {!r}); from tidegate.authoring.__main__ import main; " \
        "sys.exit(main())"  # fmt: skip

KINDS: dict[str, type[TidegateError]] = {
    str(one.exit_code): one
    for one in (UsageProblem, NotReady, RefusedForGood, PolicyRefused, ElectionNotWon)
}


def authored(one: Making, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what came of the job. Raises what it was stopped by."""
    done = run(_command(one, json.dumps(job)), 300, apart=True)
    try:
        found: dict[str, Any] = json.loads(done.out)
    except ValueError:
        raise _failed(done) from None
    if found["error"]:
        raise _error(found["error"])
    found["said"] = done.err
    return found


def _command(one: Making, job: str) -> Command:
    pyz = archive.cached(one.environ or os.environ)
    if one.target is None:
        return one.command("-c", START.format(str(pyz)), job)
    return one.command("-c", START.format(PLACE), job, more={PLACE: f"{pyz}:ro"})


def _error(error: Mapping[str, str]) -> TidegateError:
    what, meaning, advice = (error.get(name, "") for name in ("what", "meaning", "next"))
    kind = KINDS.get(error.get("code", ""))
    if kind is not None:
        return kind(what, meaning, advice)
    if "--merge" in advice:
        return PolicyRefused(what, meaning, advice)
    return StepFailed(what, meaning, advice or "correct it; no file was made")


def _failed(done: Result) -> StepFailed:
    lines = [line for line in (done.err or done.out).splitlines() if line.strip()]
    return StepFailed(
        "the framework made no migration",
        "\n".join([*lines[-6:], done.why]).strip(),
        "correct it; no file was made",
    )
