"""The volume was written by another major version of PostgreSQL.

A server opens only files of its own major version, and refuses all others.
Run the old version again, dump, and restore into a new volume with the new one.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (
    r"database files are incompatible with server",
    r"The data directory was initialized by PostgreSQL version",
)
PRINTED = "FATAL:  database files are incompatible with server"
WHEN = "at every start"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield volumes whose PG_VERSION is not the server's."""
    for one in live.volumes:
        server = one.server.split(".")[0]
        if one.pg_version and server and one.pg_version.split(".")[0] != server:
            yield Problem(
                place_in(project.services, one.service, "image"),
                f"The volume {one.name} was written by PostgreSQL {one.pg_version}, and {one.service} runs {one.server}.",
                f"write the image's tag for {one.pg_version} again, dump, and restore into a new volume",
            )
