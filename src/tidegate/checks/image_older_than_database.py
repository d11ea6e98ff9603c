"""The database has migrations that this image does not know.

A newer release has migrated it; Alembic refuses every command, and Django says nothing and runs on a schema that it was not written for.
Start the newer image again, or go back with `tidegate rollback`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (r"Can't locate revision identified by",)
PRINTED = "alembic.util.exc.CommandError: Can't locate revision identified by '20260918_0317'"
WHEN = "at every start of the older image"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so."""
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"The database has a revision that the image of {one.service} does not know: the image is older.",
                "start the newer image again; tidegate status shows the steps",
            )
