"""A migration lock waits for a holder that may be dead.

When the holder's host goes away without closing its connection, PostgreSQL keeps the session and its advisory lock until TCP gives up: about two hours with the usual settings.
Who waits in `pg_advisory_lock` meanwhile waits without a word and without an end.
Bound both: keepalives and `tcp_user_timeout` on the holder's session, a deadline for the one who waits; or let `tidegate boot` hold the election, which does both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import migratingcode
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "info"
ERRORS = (
    r"waiting to acquire (database|advisory|migration) lock",
    r"advisory lock (error|timeout)",
    r"MigrationLocked|migration table is already locked|Waiting for changelog lock",
    r"(could not|timed out|failed to) (acquire|obtain|get) (the )?(advisory|migration|database) lock",
)
PRINTED = "waiting to acquire database lock"
WHEN = "at the start after the host of the lock's holder has died"
BAD = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": 'def run(connection):\n    connection.execute("SELECT pg_advisory_lock(42)")\n',
}
GOOD = {
    **BAD,
    "migrations/env.py": 'def run(connection):\n    connection.execute("SET lock_timeout = \'5min\'")\n    connection.execute("SET tcp_keepalives_idle = 5")\n    connection.execute("SELECT pg_advisory_lock(42)")\n',
}
AT = "migrations/env.py:2"
_BOUND = re.compile(
    r"keepalives|tcp_user_timeout|idle_session_timeout|lock_timeout|client_connection_check_interval"
)


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield waits for an advisory lock that nothing bounds, on either side."""
    if migratingcode.concurrent_migration(project):
        return  # the same line has a worse fault there, whose mend takes this one with it
    for place in migratingcode.python_lines(project, "pg_advisory_lock("):
        if not _BOUND.search(project.read(place.path) or ""):
            yield Problem(
                place,
                "After the host of its holder has died, this lock stays for about two hours, and whoever waits here waits as long.",
                "SET tcp_keepalives_idle, tcp_user_timeout and lock_timeout before it,\n"
                "or drop the lock and start with `tidegate boot -- COMMAND`",
            )
