"""The image was built for another kind of processor.

It was pulled or built on an Apple or ARM machine and runs on an Intel server, or the other way round: the engine starts it, and the kernel cannot run its first program.
Build it for the machine that runs it, or for both: `docker buildx build --platform linux/amd64,linux/arm64`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (
    r"exec format error",
    r"image's platform \(\S+\) does not match the detected host platform",
    r"no matching manifest for \S+ in the manifest list",
)
PRINTED = "exec /usr/local/bin/docker-entrypoint.sh: exec format error"
WHEN = "at every start on such a machine"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers that failed so, of an image that is not for the engine's machine."""
    for one in live.containers:
        mine, theirs = live.architecture, one.architecture
        if "exec format error" not in one.log + one.error or not mine or theirs in ("", mine):
            continue
        key = "platform" if _platform(project, one.service) else "image"
        yield Problem(
            place_in(project.services, one.service, key),
            f"The image {one.image} of {one.service} is for {theirs}, and this engine's machine is {mine}.",
            f"build it for linux/{mine}, or name an image that has that",
        )


def _platform(project: ProjectFiles, name: str) -> bool:
    return any(one.name == name and one.text("platform") for one in project.services)
