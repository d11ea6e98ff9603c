"""Who runs us and where: user, host, container, CI job, a program that acts for a person."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
from collections.abc import Mapping

from tidegate.container import above
from tidegate.container.report import masked

CI = (
    "GITHUB_RUN_ID",
    "CI_JOB_URL",
    "BUILD_URL",
    "BUILDKITE_BUILD_URL",
    "CIRCLE_BUILD_URL",
    "BITBUCKET_BUILD_NUMBER",
    "BUILD_BUILDID",
    "DRONE_BUILD_LINK",
)
# Variables by which coding agents mark the commands that they run.
AGENTS = ("TIDEGATE_AGENT", "AI_AGENT", "CLAUDECODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI")
_ID = re.compile(r"(?:docker|containers|crio|kubepods|cri-containerd)[^\n]*?([0-9a-f]{64})")


def origin(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the columns of a run that say where it came from.

    What the container's own environment doesn't say is taken from whoever started it.
    """
    outer = _outer(environ)
    return {
        "by": environ.get("TIDEGATE_BY") or outer.get("by") or who(environ),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "container": container(),
        "ci": ci(environ) or outer.get("ci", ""),
        "agent": agent(environ),
        "revision": environ.get("TIDEGATE_REVISION") or outer.get("revision", ""),
        "image": environ.get("TIDEGATE_IMAGE") or outer.get("image", ""),
    }


def handed_on(environ: Mapping[str, str]) -> str:
    """Return what a container that this process starts can't see: who, in which job, by what."""
    return json.dumps({"by": who(environ), "ci": ci(environ), "agent": agent(environ)})


def _outer(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        raw = json.loads(environ.get("TIDEGATE_ORIGIN") or "{}")
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in raw.items()} if isinstance(raw, dict) else {}


def who(environ: Mapping[str, str]) -> str:
    """Return the user's name, or what TIDEGATE_BY says."""
    try:
        return environ.get("TIDEGATE_BY") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


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
    """Return the marker of a coding agent, or an empty string where a person typed.

    One that was taken away for this command alone is seen in the processes that started it.
    """
    found = _marker(environ) or _outer(environ).get("agent", "")
    return found or next(filter(None, map(_marker, above.environments())), "")


def _marker(environ: Mapping[str, str]) -> str:
    for name in AGENTS:
        value = environ.get(name, "")
        if value and value.lower() not in ("0", "false"):
            return value if name in AGENTS[:2] else name.lower()
    return ""
