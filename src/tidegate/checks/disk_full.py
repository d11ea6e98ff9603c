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
NEAR = 0.05
LEAST = 500 * 1024  # kilobytes
MUCH = 5 * 1024 * 1024
REMEDY = "docker system df shows what takes it; remove old images and build caches, never volumes"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so, and databases that are close to it."""
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} found no space on the disk.",
                REMEDY,
            )
    for disk in live.disks:
        if disk.free < LEAST or disk.free < min(NEAR * disk.size, MUCH):
            yield Problem(
                place_in(project.services, disk.service),
                f"{disk.service} has {disk.free // 1024} MB left at {disk.path}, of {disk.size // 1024} MB.",
                REMEDY,
                severity="warning",
            )
