"""The disk is full.

Databases stop at the first write that finds no space, and some do not start again before there is some.
Old images and build caches are the first to go: `docker system df` shows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (
    r"No space left on device",
    r"could not extend file",
    r"disk is full",
)
PRINTED = "could not write to file: No space left on device"
WHEN = "at the first write"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so."""
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} found no space on the disk.",
                "docker system df shows what takes it; remove old images and build caches, never volumes",
            )
