"""The database has no connection left.

Every worker process holds its own; replicas, workers and their pools multiply.
Count them against max_connections, or put a pooler between.
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
    r"too many clients already",
    r"remaining connection slots are reserved",
    r"Too many connections",
)
PRINTED = "FATAL:  sorry, too many clients already"
WHEN = "when more processes start, as during an update"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so."""
    for server in live.servers:
        if server.max_connections and server.connections >= 0.9 * server.max_connections:
            yield Problem(
                place_in(project.services, server.service),
                f"{server.service} has {server.connections} of {server.max_connections} connections in use.",
                "fewer workers or smaller pools, a higher max_connections, or a pooler (docs/how-to/pgbouncer.md)",
            )
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} was refused a connection: the database has none left.",
                "fewer workers or smaller pools, a higher max_connections, or a pooler (docs/how-to/pgbouncer.md)",
            )
