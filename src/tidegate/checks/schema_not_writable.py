"""The login may not make tables.

Since PostgreSQL 15 only the owner of a database may make tables in its schema `public`.
Grant it: `GRANT ALL ON SCHEMA public TO role`, or make the role the database's owner.
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
    r"permission denied for schema public",
    r"MigrationSchemaMissing",
)
PRINTED = "permission denied for schema public"
WHEN = "at the first migration"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so."""
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"{one.service} may not make tables in the schema public.",
                "as the owner: ALTER DATABASE NAME OWNER TO role, or GRANT ALL ON SCHEMA public TO role",
            )
