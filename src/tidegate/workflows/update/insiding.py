"""Run the inside in a container of the project, and understand what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from tidegate import errors
from tidegate.contracts.target import Target, Teller
from tidegate.errors import Stopped, TidegateError, UsageProblem
from tidegate.model.command import Command
from tidegate.process import Result, Talk, run
from tidegate.workflows.update.explain import explained

MARK = "tidegate  error "
RESULT = "result"  # the stage whose line holds a document instead of words
ERRAND = "errand"  # the stage whose line asks for something to be done out here

Event = Mapping[str, Any]
Runs = Callable[[], bool]


class Share(Protocol):
    """A folder that a container sees too, and who answers what it asks there."""

    @property
    def mounts(self) -> Mapping[str, str]:
        """What the container has to see."""

    @property
    def variables(self) -> Sequence[str]:
        """What tells it so."""

    def __call__(self, event: Event, runs: Runs) -> None:
        """Do what is asked, and leave the answer."""


@contextmanager
def knowing(target: Target) -> Iterator[None]:
    """Where the code is not found in the container, say which folder of the host hides it."""
    try:
        yield
    except UsageProblem as error:
        mount = target.hidden()
        if not mount:
            raise
        source, _, place = mount.rpartition(":")
        raise UsageProblem(
            error.what,
            f"The folder {source} of the host lies over {place} in the container, and has neither "
            "manage.py nor alembic.ini: it hides the code of the image.",
            f"take it out of the volumes of {target.backend}, or mount the folder with the code",
        ) from None


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


def work(command: Command, timeout: float, tell: Teller, stop: Callable[[], None]) -> list[Event]:
    """Run a verb of the inside and tell its stages; return them. A signal stops the container."""
    said: list[Event] = []

    def line(text: str) -> None:
        event = _event(text)
        if event is not None:
            said.append(event)
            _told(tell, event)

    try:
        done = run(command, timeout, line=line, apart=True)
    except Stopped:
        stop()
        raise
    return _well(done, said)


def talk(command: Command, tell: Teller, stop: Callable[[], None], errand: Share) -> list[Event]:
    """Run a verb of the inside as `work` does, and do what it asks for on the way.

    `errand` is called in this thread: a signal ends it, and then the container. A refusal of its
    own is the inside's to hear, which puts back what it has to; it is raised here afterwards.
    """
    said: list[Event] = []
    try:
        with Talk(command) as child:
            for text in child.lines():
                event = _event(text)
                if event is None:
                    continue
                said.append(event)
                if event["stage"] == ERRAND:
                    errand(event, child.runs)
                else:
                    _told(tell, event)
            code = child.end()
    except Stopped:
        stop()
        raise
    return _well(Result(command, code, "", "\n".join(child.errors), child.why), said)


def _told(tell: Teller, event: Event) -> None:
    stage = event["stage"]
    if stage == "warning":
        tell.warn(str(event.get("text", "")))
    elif stage not in ("error", RESULT):
        more = {key: event[key] for key in ("step",) if key in event}
        tell.stage(
            str(stage), str(event.get("subject", "")), str(event.get("text", "")),
            event.get("seconds"), **more,
        )  # fmt: skip


def _well(done: Result, said: list[Event]) -> list[Event]:
    """Return what was said, or raise what the inside raised."""
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
        tell.stage(
            "stop", "", "ending the one-off container; what it is at is taken back or finished"
        )
        for command in target.stopping(running):
            run(command, 60, apart=True)


def _event(text: str) -> Event | None:
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
    what = texts[0] if texts[:at] else done.why or _unsaid(done)
    meaning = "\n".join(texts[1:at])
    advice = "\n".join([text.removeprefix("next:").strip() for text in texts[at:]])
    if what.endswith("is not installed for this Python"):
        advice = OTHER_PYTHON
    if "tidegate adopt" not in advice and "makes it too" not in meaning:  # it said it better
        meaning = "\n".join([meaning, *explained(f"{what}\n{meaning}")]).strip()
    kind: type[TidegateError] | None = KINDS.get(done.code or 0)
    if done.code == errors.StateNotCurrent.exit_code and is_ours:  # Compose's own failures are 1
        kind = errors.StateNotCurrent
    if kind is None:
        more = f"`{done.command.shown()}` ended with {done.code}{done.why and ': ' + done.why}."
        retry = "run this again" if done.code in ENDED else AGAIN
        retry = advice or retry
        return errors.StepFailed(what, f"{meaning}\n{more}".strip(), retry)
    return kind(what, meaning, advice)


def _unsaid(done: Result) -> str:
    """Return what is known of a container that said nothing at its end."""
    if done.code in ENDED:
        return (
            f"the container was ended from outside ({ENDED[done.code]}): the engine was restarted, "
            "the machine has no memory left, or somebody stopped it"
        )
    return "the command in the container failed"


AGAIN = "correct it, then run this again; that command shows it alone"
ENDED = {137: "kill -9", 143: "SIGTERM"}
OTHER_PYTHON = (
    "where another Python of the image has it, name that one in pyproject.toml:\n"
    '[tool.tidegate.compose] python = "/app/.venv/bin/python"'
)
KINDS = {
    one.exit_code: one
    for one in (errors.UsageProblem, errors.NotReady, errors.RefusedForGood, errors.StepFailed,
                errors.PolicyRefused, errors.ElectionNotWon)
}  # fmt: skip
