"""Run the inside in a container of the project, and understand what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tidegate import errors
from tidegate.contracts.target import Target, Teller
from tidegate.errors import Stopped, TidegateError
from tidegate.model.command import Command
from tidegate.process import Result, run
from tidegate.workflows.update.explain import explained

MARK = "tidegate  error "
RESULT = "result"  # the stage whose line holds a document instead of words


def status(command: Command, timeout: float = 120.0) -> dict[str, Any]:
    """Return what `status --format json` says of the databases. Raises what the inside raised."""
    done = run(command, timeout, apart=True)
    if not done.ok:
        raise _raised(done, done.err.splitlines())
    try:
        found: dict[str, Any] = json.loads(done.out)
        return found
    except ValueError:
        raise _raised(done, done.out.splitlines()[-3:]) from None


def work(
    command: Command, timeout: float, tell: Teller, stop: Callable[[], None]
) -> list[Mapping[str, Any]]:
    """Run a verb of the inside and tell its stages; return them. A signal stops the container."""
    said: list[Mapping[str, Any]] = []

    def line(text: str) -> None:
        event = _event(text)
        if event is None:
            return
        said.append(event)
        if event["stage"] not in ("error", "warning", RESULT):
            seconds = event.get("seconds")
            more = {key: event[key] for key in ("step",) if key in event}
            tell.stage(
                str(event["stage"]), str(event.get("subject", "")), str(event.get("text", "")),
                seconds, **more,
            )  # fmt: skip
        elif event["stage"] == "warning":
            tell.warn(str(event.get("text", "")))

    try:
        done = run(command, timeout, line=line, apart=True)
    except Stopped:
        stop()
        raise
    if done.ok:
        return said
    told = next((one for one in said if one["stage"] == "error"), None)
    lines = str(told["text"]).splitlines() if told else done.err.splitlines()[-5:]
    raise _raised(done, lines, told is not None)


def end_leftovers(target: Target, tell: Teller) -> None:
    """End the one-off containers of this process, and let what runs in them unwind.

    One that a killed update left is not ours to end: it holds the election, and is waited for.
    """
    running = target.leftovers()
    if running:
        tell.stage("stop", "", "ending the one-off container; its step is taken back or finished")
        for command in target.stopping(running):
            run(command, 60, apart=True)


def _event(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "stage" in found else None


def _raised(done: Result, lines: list[str], is_ours: bool = False) -> TidegateError:
    """Return the inside's own error, made from its lines and its exit code."""
    texts = [line.removeprefix(MARK).strip() for line in lines if line.strip()]
    began = next((i for i, line in enumerate(lines) if line.startswith(MARK)), None)
    if began is not None:
        texts = [line.removeprefix(MARK).strip() for line in lines[began:] if line.strip()]
    at = next((i for i, text in enumerate(texts) if text.startswith("next:")), len(texts))
    what = texts[0] if texts[:at] else done.why or "the command in the container failed"
    meaning = "\n".join(texts[1:at])
    advice = "\n".join([text.removeprefix("next:").strip() for text in texts[at:]])
    if what.endswith("is not installed for this Python"):
        advice = OTHER_PYTHON
    if "tidegate adopt" not in advice:
        meaning = "\n".join([meaning, *explained(f"{what}\n{meaning}")]).strip()
    kind: type[TidegateError] | None = KINDS.get(done.code or 0)
    if done.code == errors.StateNotCurrent.exit_code and is_ours:  # Compose's own failures are 1
        kind = errors.StateNotCurrent
    if kind is None:
        more = f"`{done.command.shown()}` ended with {done.code}{done.why and ': ' + done.why}."
        return errors.StepFailed(what, f"{meaning}\n{more}".strip(), advice)
    return kind(what, meaning, advice)


OTHER_PYTHON = (
    "where another Python of the image has it, name that one in pyproject.toml:\n"
    '[tool.tidegate.compose] python = "/app/.venv/bin/python"'
)
KINDS = {
    one.exit_code: one
    for one in (errors.UsageProblem, errors.NotReady, errors.RefusedForGood, errors.StepFailed,
                errors.PolicyRefused, errors.ElectionNotWon)
}  # fmt: skip
