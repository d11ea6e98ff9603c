"""A coding agent's marker, seen in the processes that led to a command."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

ASK = "from tidegate.container.origin import agent; import os; print(agent(os.environ))"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    ("between", "seen"),
    [((), "claudecode"), (("sh", "-c", '"$@"; true', "sh"), "claudecode"), (("setsid", "-w"), "")],
)
def test_a_marker_taken_away_is_seen_above(between: tuple[str, ...], seen: str) -> None:
    """`env -u` hides it from the command alone; what has a session of its own, as a terminal has,
    is not judged by what started that."""
    if between and shutil.which(between[0]) is None:
        pytest.skip(f"{between[0]} is not installed")
    inner = ["env", "-u", "CLAUDECODE", *between, sys.executable, "-c", ASK]
    done = subprocess.run(
        ["sh", "-c", '"$@"; true', "sh", *inner], env={"CLAUDECODE": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True, start_new_session=True,
    )  # fmt: skip
    assert done.stdout.strip() == seen, done.stderr
