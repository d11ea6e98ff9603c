"""A container starts, ends, and is started again.

The engine waits longer each time, so the container looks as if it ran.
The last lines of its log say why it ends; `tidegate doctor --error -` explains them.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live, verdict
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import masked, place_in

SEVERITY = "error"
ERRORS = (r"Restarting \(\d+\)",)
PRINTED = "Restarting (1) 2 seconds ago"
WHEN = "in the list of containers"
JUST = 30.0  # seconds: between two restarts a container looks as if it ran


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers in a loop of restarts."""
    for one in live.containers:
        again = one.restarts >= 3 and (one.state != "running" or one.up_for < JUST)
        if one.state == "restarting" or again:
            ended = "" if one.state == "running" else f"ended with {one.exit_code} and "
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} {ended}was restarted {one.restarts} times: {masked(verdict(one.log))[:200]}",
                f"docker compose logs {one.service} | tidegate doctor --error -",
            )
