"""Progress for whoever listens: the core calls, and what is said about it is a front end's."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears what happens; the default hears nothing."""

    def stage(
        self, stage: str, subject: str, text: str, seconds: float | None = None, **more: object
    ) -> None:
        """One stage has something to say."""

    def warn(self, text: str) -> None:
        """Something is not as it should be, and doesn't stop us."""
