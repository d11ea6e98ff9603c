"""The volume keeps the password of its first start.

`POSTGRES_PASSWORD` is read when the volume is empty, and never again; a new value in `.env` changes what the app sends and not what the server wants.
Change it in the server: `ALTER ROLE … PASSWORD …`; a new volume would lose the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (r"password authentication failed for user",)
PRINTED = 'FATAL:  password authentication failed for user "postgres"'
WHEN = "at every login after the password was changed"


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield containers whose log says so."""
    for one in live.containers:
        if any(re.search(text, one.log) for text in ERRORS):
            yield Problem(
                place_in(project.services, one.service),
                f"The log of {one.service} says that a password is refused: a volume keeps the one of its first start.",
                "set it in the server: docker compose exec DB psql -U USER -c 'ALTER ROLE USER PASSWORD ...'",
            )
