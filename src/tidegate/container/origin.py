"""Who runs us and where: user, host, container, CI job, a program that acts for a person."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping

from tidegate.container.report import masked
from tidegate.model.origins import AGENTS, CI, who

_ID = re.compile(r"(?:docker|containers|crio|kubepods|cri-containerd)[^\n]*?([0-9a-f]{64})")


def origin(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the columns of a run that say where it came from."""
    return {
        "by": who(environ),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "container": container(),
        "ci": ci(environ),
        "agent": agent(environ),
        "revision": environ.get("TIDEGATE_REVISION", ""),
        "image": environ.get("TIDEGATE_IMAGE", ""),
    }


def container() -> str:
    """Return the first twelve digits of the container's id, as `docker ps` shows it."""
    for path in ("/proc/self/cgroup", "/proc/self/mountinfo"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found = _ID.search(file.read())
        except OSError:
            continue
        if found:
            return found[1][:12]
    return ""


def ci(environ: Mapping[str, str]) -> str:
    """Return the CI job, as a URL where the environment has one."""
    for name in CI:
        value = environ.get(name, "")
        if value and name == "GITHUB_RUN_ID":
            server = environ.get("GITHUB_SERVER_URL", "https://github.com")
            return f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{value}"
        if value:
            return masked(value)
    return "ci" if environ.get("CI", "").lower() in ("1", "true") else ""


def agent(environ: Mapping[str, str]) -> str:
    """Return the marker of a coding agent, or an empty string where a person typed."""
    for name in AGENTS:
        value = environ.get(name, "")
        if value and value.lower() not in ("0", "false"):
            return value if name in AGENTS[:2] else name.lower()
    return ""
