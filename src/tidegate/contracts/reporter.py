"""What a reporter is: a module of `tidegate.reporters`, named after its `--format`."""

from __future__ import annotations

from typing import Protocol

from tidegate.model.finding import Findings


class Reporter(Protocol):
    """A module with one function from values to text; printing is the front end's."""

    def render(self, found: Findings, colour: bool) -> str:
        """Return the whole report, without a trailing newline."""
