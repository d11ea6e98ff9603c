"""The engine could not start a container at all.

Its log is empty, since nothing of it ever ran: the reason stands with the engine alone.
Most often the file that it starts with can't be executed, a mount does not fit, or a port is taken.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import masked, place_in

SEVERITY = "error"
ERRORS = (
    r"failed to create (shim )?task",
    r"unable to start container process",
    r"(port is already allocated|address already in use)",
)
PRINTED = "Error response from daemon: failed to create task for container"
WHEN = "at every start: the container stays in the state Created"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers that the engine has a reason for not running."""
    for one in live.containers:
        if one.error and one.state in ("created", "exited", "dead"):
            said = masked(one.error.strip().split("\n")[0])
            why = said.rpartition("unable to start container process: ")[2][:200]
            yield Problem(
                place_in(project.services, one.service),
                f"The engine could not start {one.service}: {why.removesuffix(': unknown')}.",
                "see what else is found here; then docker compose up -d",
                printed=said[:200],
            )
