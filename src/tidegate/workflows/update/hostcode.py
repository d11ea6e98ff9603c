"""The host's code over the image's: which folders a one-off container gets, and as whom it runs."""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path

from tidegate.contracts.target import Target

ROOT = "0:0"


def mounts(target: Target) -> dict[str, str]:
    """Return what lays the host's code over that of the backend's image."""
    workdir = target.workdir()
    found = {workdir: str(Path(target.source))}
    for place in [posixpath.dirname(target.python()), *target.image_path().split(":")]:
        # An environment below the code's folder would be hidden with it: keep the image's own.
        if place.startswith(workdir.rstrip("/") + "/"):
            found[place.removesuffix("/bin")] = ""
    return found


def owner(folder: Path) -> str:
    """Return whose files the host's are, as a container takes it; empty where that means nothing.

    On Windows and macOS the engine's virtual machine maps every user to the one at the keyboard.
    """
    if sys.platform in ("win32", "darwin"):
        return ""
    found = folder.stat()
    return f"{found.st_uid}:{found.st_gid}"
