"""A container runs and its health check fails.

The probe's own output says why; often it is the probe that is wrong, not the app.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live, verdict
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import masked, place_in

SEVERITY = "error"
ERRORS = (r"container \S+ is unhealthy", r"\bunhealthy\b")
PRINTED = "dependency failed to start: container shop-web-1 is unhealthy"
WHEN = "after the retries of the probe"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers that are unhealthy, with what the probe printed."""
    for one in live.containers:
        if one.health == "unhealthy":
            yield Problem(
                place_in(project.services, one.service),
                f"The health check of {one.service} fails: {masked(verdict(one.health_said))[:200]}",
                f"docker compose exec {one.service} COMMAND, with the probe's command",
            )
