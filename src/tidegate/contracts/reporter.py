"""What a reporter is: a module of `tidegate.reporters`, named after its `--format`."""

from __future__ import annotations

import os
from typing import Protocol

from tidegate.model.finding import Findings


class Reporter(Protocol):
    """A module with one function from values to text; printing is the front end's."""

    def render(self, found: Findings, colour: bool) -> str:
        """Return the whole report, without a trailing newline."""


def in_repository(root: str) -> str:
    """Return where the project lies in its git work tree: "", or `backend/`.

    Those who show findings beside changed lines know files by their paths in the repository.
    """
    folder, inside = os.path.abspath(root), ""
    while not os.path.exists(os.path.join(folder, ".git")):
        above, name = os.path.split(folder)
        if above == folder:
            return ""
        folder, inside = above, f"{name}/{inside}"
    return inside
