"""By which variables an environment tells who runs a command: a person, a job, an agent."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping

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
MORE = ("CI", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY")
# Variables by which coding agents mark the commands that they run.
AGENTS = ("TIDEGATE_AGENT", "AI_AGENT", "CLAUDECODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI")


def who(environ: Mapping[str, str]) -> str:
    """Return the user's name, or what TIDEGATE_BY says."""
    try:
        return environ.get("TIDEGATE_BY") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def passed_on(environ: Mapping[str, str]) -> list[str]:
    """Return NAME=VALUE words that tell a container who has started it from outside."""
    names = [name for name in (*CI, *MORE, *AGENTS) if environ.get(name)]
    return [f"TIDEGATE_BY={who(environ)}", *(f"{name}={environ[name]}" for name in names)]
