"""A volume hides files of the new image.

A named volume is filled from the image once, when it is empty; after that it lies over whatever later images bring at the same path.
The release is new, and what is served, or imported, is what the first one brought.
Let the start write these files (`tidegate boot` collects static files when their inputs changed), keep the volume for what users upload alone, or take it away.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "warning"
ERRORS = (
    r"GET /static/\S+ HTTP/[\d.]+\" 404",
    r"Not Found: /static/",
)
PRINTED = '"GET /static/app.5f2c1e.js HTTP/1.1" 404'
WHEN = "after every release that changes one of these files"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield volumes that lack files of the image, or hold other ones under the same names."""
    for one in live.hidden:
        more = f" and {one.count - len(one.files)} more" if one.count > len(one.files) else ""
        yield Problem(
            place_in(project.services, one.service, "volumes"),
            f"The volume {one.volume} at {one.target} of {one.service} hides what the image has there: {', '.join(one.files)}{more}.",
            "collect at the start (tidegate boot does it when its inputs changed), or take the volume away",
        )
