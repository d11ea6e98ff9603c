"""The system killed a process of the container for its memory.

The limit of the container, or of the machine, was less than the process wanted; a migration that rewrites rows in Python, or several workers, want most.
Raise the limit, or let it do less at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (
    r"(?-i:\bKilled\b)",
    r"exited with code 137",
    r"OOMKilled",
    r"MemoryError",
)
PRINTED = "line 51:    18 Killed  ./manage.py migrate --no-input"
WHEN = "when it wants more memory than there is"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers that were killed for memory."""
    for one in live.containers:
        if one.oom_killed:
            limit = (
                f"its limit is {one.memory_limit // 2**20} MB"
                if one.memory_limit
                else "the machine had no more"
            )
            yield Problem(
                place_in(project.services, one.service),
                f"A process of {one.service} was killed for its memory: {limit}.",
                "raise mem_limit (deploy.resources.limits.memory), or let it do less at once",
            )
