"""What the site has already for going back to a point in time: told by how the server archives.

Only its name is taken from the setting, which may hold what is secret.
"""

from __future__ import annotations

import os
import shlex

from tidegate.contracts.database import Session
from tidegate.model.readiness import Permanent, Transient

TOOLS = {
    "pgbackrest": "pgBackRest",
    "barman-wal-archive": "Barman",
    "barman-cloud-wal-archive": "Barman",
    "wal-g": "WAL-G",
    "wal-e": "WAL-E",
    "pg_probackup": "pg_probackup",
}
ASK = (
    "SELECT current_setting('archive_mode'), current_setting('archive_command'), "
    "coalesce(current_setting('archive_library', true), '')"
)


def archiver(session: Session) -> str:
    """Return the tool that keeps the server's log, or an empty string."""
    try:
        ((mode, command, library),) = session.query(ASK)
    except (Transient, Permanent):
        return ""  # the role may not see it
    if mode == "off":
        return ""
    try:
        words = shlex.split(str(command))
    except ValueError:
        words = str(command).split()
    names = [os.path.basename(word) for word in (*words, str(library))]
    return next((TOOLS[name] for name in names if name in TOOLS), "")


def tool_of(command: str) -> str:
    """Return the name of the tool that a site's own backup command runs, or the command's."""
    name = os.path.basename(command)
    known = {key.split("-")[0]: value for key, value in TOOLS.items() if key.startswith("barman")}
    return {**TOOLS, **known}.get(name, name)
