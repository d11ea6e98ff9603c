"""The volume keeps the password of its first start.

`POSTGRES_PASSWORD` is read when the volume is empty, and never again; a new value in `.env` changes what the app sends and not what the server wants.
Change it in the server: `ALTER ROLE … PASSWORD …`; a new volume would lose the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import facts
from tidegate.reading.project.live import Live
from tidegate.reading.project.project import ProjectFiles
from tidegate.reading.project.service import place_in

SEVERITY = "error"
ERRORS = (r"password authentication failed for user",)
PRINTED = 'FATAL:  password authentication failed for user "postgres"'
WHEN = "at every login after the password was changed"


_REFUSED = re.compile(r"password authentication failed for user \"(?P<user>[^\"]+)\"")


def look_live(project: ProjectFiles, live: Live) -> Iterable[Problem]:
    """Yield each user whose password is refused, at the server that refuses it where we know it."""
    servers = {one.name: one for one in project.services if facts.is_postgres(one)}
    seen: dict[str, list[str]] = {}
    for one in live.containers:
        for found in _REFUSED.finditer(one.log):
            names = seen.setdefault(found["user"], [])
            names += [one.service] if one.service not in names else []
    for user, names in seen.items():
        server = next((name for name in (*names, *servers) if name in servers), "DB")
        service = servers.get(server)
        given = service.environment.get("POSTGRES_PASSWORD") if service is not None else None
        said = " and ".join(names)
        yield Problem(
            given.place if given is not None else place_in(project.services, names[0]),
            f"{server} refuses the password of {user} (log of {said}): its volume keeps the one of its first start.",
            f"set it in the server: docker compose exec {server} psql -U {user} -d postgres -c '\\password {user}'",
            tuple(place_in(project.services, name) for name in names if name != server)
            if given is not None
            else (),
            printed=f'FATAL:  password authentication failed for user "{user}"',
        )
