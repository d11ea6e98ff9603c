"""What boot and its siblings say while they work: one line a stage, on stderr, never a secret."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    Listener = Callable[[str, str, str, "float | None", Mapping[str, object]], None]


def masked(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return `text` with the passwords of URLs, and the given secrets, masked.

    The password of a URL ends at the last `@` of the word: a password may hold `@` and `/`.
    """
    if secrets:
        from tidegate.model.masking import hide

        text = hide(text, secrets)
    if "://" not in text:
        return text
    words = text.split(" ")
    return " ".join(_mask_word(word) if "://" in word else word for word in words)


def _mask_word(word: str) -> str:
    scheme, _, rest = word.partition("://")
    login, at, place = rest.rpartition("@")
    if not at or ":" not in login:
        return word
    return f"{scheme}://{login.split(':', 1)[0]}:***@{place}"


def _is_answered() -> bool:
    from tidegate.container import outlet

    return outlet.answered()


class Report:
    """Writes stages as text for people, or as one JSON object a line (`jsonl`).

    With `json` the stages are text as well: stdout belongs to the one document.
    """

    def __init__(self, form: str = "text", quiet: bool = False, out: TextIO | None = None) -> None:
        self.form = form
        self.quiet = quiet
        self.secrets: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}
        self.steps: list[tuple[str, float]] = []
        self.listeners: list[Listener] = []
        self.current: list[str] = []
        self.failure = ""
        self._out = out

    def stage(
        self, stage: str, subject: str, text: str, seconds: float | None = None, **more: object
    ) -> None:
        """Say one line, and count the seconds to the stage."""
        if seconds is not None:
            self.count(stage, seconds)
            if "step" in more:
                self.steps.append((str(more["step"]), seconds))
        for tell in self.listeners:
            tell(stage, subject, text, seconds, more)
        if self.form == "jsonl":
            self._json({"stage": stage, "subject": subject, "text": text, **more}, seconds)
        elif not self.quiet:
            took = "" if seconds is None else f"  {seconds:.2f} s"
            self._say(f"tidegate  {stage:<7} {subject}{': ' if subject else ''}{text}{took}")

    def count(self, stage: str, seconds: float) -> None:
        """Count seconds to a stage without a line of its own."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def warn(self, text: str) -> None:
        """Say what is not as it should be, and doesn't stop us."""
        if self.form == "jsonl":
            self._json({"stage": "warning", "text": text}, None)
        else:
            self._say(f"tidegate  warning {text}")

    def error(self, lines: list[str], code: int) -> None:
        """Say the error that ends this; with `json` it is the document, unless one is printed."""
        self.failure = masked(lines[0], self.secrets)
        if self.form == "jsonl":
            self._json({"stage": "error", "text": "\n".join(lines), "exit_code": code}, None)
            return
        if self.form == "json" and not _is_answered():
            self._json({"error": {"text": "\n".join(lines), "exit_code": code}}, None)
        first, *rest = lines
        self._say(f"tidegate  error   {first}")
        for line in rest:
            self._say(f"                  {line.strip() if line[:2] == '  ' else line}")

    def summary(self, command: list[str], total: float) -> None:
        """Say the stages' seconds, before the process becomes the command.

        One line where there was nothing to apply, else a table with the steps.
        """
        if self.form == "jsonl":
            steps = [{"step": step, "seconds": round(took, 3)} for step, took in self.steps]
            self._json({"stage": "start", "command": command[0], "stages": self.seconds,
                        "steps": steps}, total)  # fmt: skip
        elif self.quiet:
            return
        elif self.steps:
            from tidegate.container.timings import table

            self._say(f"tidegate  start   {command[0]}")
            for line in table(self.seconds, self.steps, total):
                self._say(f"                  {line}")
        else:
            parts = ", ".join(f"{name} {took:.2f}" for name, took in self.seconds.items())
            self._say(f"tidegate  start   {command[0]}  {total:.2f} s ({parts})")

    def _json(self, fields: dict[str, object], seconds: float | None) -> None:
        import json

        if seconds is not None:
            fields["seconds"] = round(seconds, 3)
        line = masked(json.dumps(fields, default=str), self.secrets) + "\n"
        if self._out is None:
            from tidegate.container import outlet

            try:
                outlet.write(line)
            except BrokenPipeError:  # nobody listens: what is being done, or undone, goes on
                os.dup2(os.open(os.devnull, os.O_WRONLY), outlet.number())
            return
        self._out.write(line)
        self._out.flush()

    def _say(self, line: str) -> None:
        data = masked(line, self.secrets) + "\n"
        if self._out is not None:
            self._out.write(data)
            return
        try:
            os.write(2, data.encode("utf-8", "replace"))
        except OSError:
            pass  # nobody listens
