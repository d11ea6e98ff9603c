"""A container ended with an error, and nothing starts it again.

The engine keeps its exit code and the end of its log; the rest of the stack goes on without it.
The last lines of the log say why it ended; `tidegate doctor --error -` explains them.
It is silent where it ended well or was stopped, and for one-off containers.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live, verdict
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import masked, place_in

SEVERITY = "error"
ERRORS = (
    r"exited with code (?!0\b|137\b|143\b|130\b)\d+",
    r"Exited \((?!0\)|137\)|143\)|130\))\d+\)",
)
PRINTED = "web exited with code 1"
WHEN = "in the list of containers (docker compose ps --all)"
# Stopped by somebody: a signal at the terminal, `docker compose stop`, and its end after the grace.
STOPPED = (0, 130, 137, 143)


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers that ended by themselves, and not well."""
    for one in live.containers:
        ended = one.state == "exited" and one.exit_code not in STOPPED
        foreign = one.architecture and one.architecture != live.architecture
        named = one.error or one.oom_killed or one.restarts >= 3 or foreign  # by other checks
        if not ended or one.one_off or named:
            continue
        yield Problem(
            place_in(project.services, one.service),
            f"{one.service} ended with {one.exit_code}: {masked(verdict(one.log))[:200]}",
            f"docker compose logs {one.service} | tidegate doctor --error -",
        )
