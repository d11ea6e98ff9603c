"""What lies in volumes: how much room is left, and files of the image that a volume hides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidegate import process
from tidegate.reading.project import facts
from tidegate.reading.project.live import Disk, Hidden
from tidegate.reading.project.service import Service

Docker = Callable[..., process.Result]
# Code and what a build makes: such a file is the image's to change, and nobody else's.
_BUILT = re.compile(r"\.(py|js|mjs|css|map|html|mo|json|woff2?|svg)$")
_DIFFERS = re.compile(r"^Files (\./)?(?P<name>.+) and .+ differ$")
_ABSENT = re.compile(r"^Only in \.(?P<folder>[^:]*): (?P<name>.+)$")


def disks(docker: Docker, service: Service, one: Mapping[str, Any]) -> list[Disk]:
    """Ask a running container how much room its volumes have."""
    out = []
    for mount in one.get("Mounts", []) if one["State"]["Status"] == "running" else ():
        target = str(mount.get("Destination", ""))
        said = docker("exec", one["Id"], "df", "-Pk", target).out.strip().split("\n")
        row = said[-1].split()
        if len(said) > 1 and len(row) >= 4 and row[1].isdigit() and row[3].isdigit():
            out.append(Disk(service.name, target, int(row[1]), int(row[3])))
    return out


def hidden(docker: Docker, service: Service, one: Mapping[str, Any]) -> list[Hidden]:
    """Compare the volumes of an app's container with what its image has at the same paths.

    A container of the same image without the volume over the path, and without a network, does it.
    """
    out = []
    for mount in one.get("Mounts", []):
        if mount.get("Type") != "volume" or facts.is_database(service):
            continue
        name, target = str(mount["Name"]), str(mount["Destination"])
        box = (
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "sh",
            "-v",
            f"{name}:/tidegate:ro",
        )
        ask = (
            'cd "$0" && LC_ALL=C diff -rq . /tidegate | grep -v "^Only in /tidegate" | head -n 200'
        )
        said = docker(*box, one["Image"], "-c", ask, target, timeout=60).out
        files = compared(said.split("\n"))
        if files:
            out.append(Hidden(service.name, name, target, tuple(files[:5]), len(files)))
    return out


def compared(lines: Sequence[str]) -> list[str]:
    """Return the files of a `diff -rq` that only a build writes."""
    out = []
    for line in lines:
        differs, absent = _DIFFERS.match(line), _ABSENT.match(line)
        if differs:
            out.append(differs["name"])
        elif absent:
            out.append(f"{absent['folder'].lstrip('/')}/{absent['name']}".lstrip("/"))
    return [one for one in out if _BUILT.search(one)]
