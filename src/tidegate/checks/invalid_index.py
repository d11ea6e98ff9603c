"""The database has an index that is not valid.

A `CREATE INDEX CONCURRENTLY` that fails or is cut off leaves its index behind: every write still has to maintain it, no query uses it, and a migration that makes it again finds the name taken.
Drop it concurrently, and run the migration again.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (
    r"index \"?\S+\"? contains unexpected",
    r"relation \"?\S+_idx\"? already exists",
    r"could not create unique index",
)
PRINTED = 'relation "shop_order_created_idx" already exists'
WHEN = "when the migration is tried again; until then writes are slower for nothing"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield indexes that no query uses and every write pays for."""
    for server in live.servers:
        for index in server.invalid_indexes:
            yield Problem(
                place_in(project.services, server.service),
                f"The index {index} in {server.service} is not valid: a build of it was cut off.",
                f"DROP INDEX CONCURRENTLY {index}; then run the migration again",
            )
