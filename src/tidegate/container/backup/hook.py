"""The site's own way to back up (pgBackRest, Barman, WAL-G, a managed snapshot), run in our place.

The command is a list of words and no shell. It gets libpq's variables for the database, and what
it says last is its receipt: the name of a snapshot, a label.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.container.backup import sites
from tidegate.container.backup.pgrun import login
from tidegate.container.report import Report, masked
from tidegate.errors import StepFailed, UsageProblem
from tidegate.model.connection import Connection

LONGEST = 3600.0  # seconds


def run(
    command: str, level: str, connection: Connection, environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """Run the command, and return its receipt. Raises StepFailed unless it ends with 0."""
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise UsageProblem(
            f"the backup command can't be read: {error}", "", "see TIDEGATE_BACKUP_COMMAND"
        ) from None
    began = time.monotonic()
    env = {**login(connection, environ), "TIDEGATE_DATABASE": connection.alias}
    if connection.vendor != "postgresql":  # as MySQL's own programs read them
        env |= {"MYSQL_HOST": connection.host, "MYSQL_TCP_PORT": connection.port or "3306",
                "MYSQL_PWD": connection.password.reveal()}  # fmt: skip
    try:
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=LONGEST, check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(argv[0], str(error)) from None
    said = masked(done.stdout.decode("utf-8", "replace"), report.secrets).strip().splitlines()
    if done.returncode:
        wrong = masked(done.stderr.decode("utf-8", "replace"), report.secrets).strip().splitlines()
        raise _failed(argv[0], (wrong or said or [f"it ended with {done.returncode}"])[-1])
    receipt = {
        "command": argv[0],
        "tool": sites.tool_of(argv[0]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "label": said[-1][:200] if said else "",
        "verified": "",
        "level": level,
        "seconds": round(time.monotonic() - began, 3),
    }
    text = f"{argv[0]}: {receipt['label'] or 'done'}; tidegate has not proved it"
    report.stage("backup", connection.alias, text, time.monotonic() - began)
    return receipt


def _failed(program: str, why: str) -> StepFailed:
    return StepFailed(
        f"the backup command {program} failed: {why}", "Nothing was changed.",
        "see what it says, or unset TIDEGATE_BACKUP_COMMAND for a backup by tidegate itself",
    )  # fmt: skip
