"""The database takes no writes.

The address leads to a replica, or the server was set read-only, as some providers do when a disk is full.
Use the primary's address, or `target_session_attrs=read-write` with all of them.
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
    r"cannot execute [A-Z ]+ in a read-only transaction",
    r"ReadOnlySqlTransaction",
)
PRINTED = "cannot execute INSERT in a read-only transaction"
WHEN = "at the first write"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so."""
    for server in live.servers:
        if server.in_recovery or server.read_only:
            why = "it is a replica" if server.in_recovery else "default_transaction_read_only is on"
            yield Problem(
                place_in(project.services, server.service),
                f"{server.service} takes no writes: {why}.",
                "use the address of the primary (target_session_attrs=read-write)",
            )
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} writes to a database that is read-only: a replica, or a server without space.",
                "use the address of the primary (target_session_attrs=read-write)",
            )
