"""A blocking advisory lock meets CREATE INDEX CONCURRENTLY.

Whoever waits in `pg_advisory_lock` holds a snapshot while it waits, and a concurrent index build waits for every older snapshot: the two wait for each other.
With the lock on another connection PostgreSQL cannot even see the cycle, and both hang for ever; an invalid index stays.
Ask with `pg_try_advisory_lock` in autocommit and ask again, or let `tidegate boot` hold the election.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.reading.project import migratingcode
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"deadlock detected[\s\S]*advisory lock",
    r"waits for ExclusiveLock on advisory lock",
    r"deadlock detected[\s\S]*(CREATE INDEX CONCURRENTLY|pg_advisory_lock)",
)
PRINTED = "deadlock detected: Process 588 waits for ExclusiveLock on advisory lock"
WHEN = "when a second replica waits for the lock while the first builds an index concurrently"
BAD = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": 'def run(connection):\n    connection.execute("SELECT pg_advisory_lock(42)")\n',
    "migrations/versions/1_index.py": """revision = "1"
down_revision = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("i", "t", ["c"], postgresql_concurrently=True)
""",
}
GOOD = {
    **BAD,
    "migrations/env.py": 'def run(autocommit_connection):\n    while not ask(autocommit_connection, "SELECT pg_try_advisory_lock(42)"):\n        sleep(1)\n',
}
AT = "migrations/env.py:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield the calls of pg_advisory_lock in a project that builds indexes concurrently."""
    index = migratingcode.concurrent_migration(project)
    for place in migratingcode.python_lines(project, "pg_advisory_lock(") if index else ():
        yield Problem(
            place,
            "A process that waits in pg_advisory_lock blocks every CREATE INDEX CONCURRENTLY, which waits for it in turn.",
            "ask with pg_try_advisory_lock on an autocommit connection, and ask again until it says true;\n"
            "or drop the lock and start with `tidegate boot -- COMMAND`",
            (index,) if index else (),
        )
