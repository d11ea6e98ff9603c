"""What a check of doctor is: a module of `tidegate.checks`, named after what it flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tidegate.model.finding import Place
from tidegate.reading.project.edits import Edit
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles


@dataclass(frozen=True)
class Problem:
    """One thing that a check saw. `also` is the other side of the contradiction.

    `edits` is the smallest mend, where there is one that needs no decision of a person. An empty
    `severity` means the check's own. `printed` is the error with this project's own names, where it
    has names in it; without it the check's PRINTED is shown as an example.
    """

    place: Place
    message: str
    remedy: str
    also: tuple[Place, ...] = ()
    edits: tuple[Edit, ...] = ()
    severity: str = ""
    confidence: str = "high"
    printed: str = ""


class Check(Protocol):
    """A module. Its docstring is its page: what happens, why it hurts, what to do.

    `ERRORS` are expressions of the texts that it explains, as programs print them. `PRINTED` is
    one of them in full, and `WHEN` the moment at which it appears. `BAD` is a project that is
    flagged at `AT` (`file:line`), `GOOD` the same project mended, as texts by path.
    """

    SEVERITY: str
    ERRORS: tuple[str, ...]
    PRINTED: str
    WHEN: str
    BAD: Mapping[str, str]
    GOOD: Mapping[str, str]
    AT: str

    def look(self, project: ProjectFiles) -> Iterable[Problem]:
        """Yield what is wrong in the files."""


class LiveCheck(Protocol):
    """A check that asks the running engine; `look_live` in place of the examples."""

    SEVERITY: str
    ERRORS: tuple[str, ...]
    PRINTED: str
    WHEN: str

    def look_live(self, project: ProjectFiles, live: Live) -> Iterable[Problem]:
        """Yield what is wrong in what runs."""
