"""The migration lock is held in an open transaction.

The connection that holds the lock stays idle in a transaction and pins a snapshot; `CREATE INDEX CONCURRENTLY` waits for that snapshot, even with one replica, and never ends.
Hold the lock on a connection in autocommit, or let `tidegate boot` hold the election.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.contracts.check import Problem
from tidegate.model.finding import Place
from tidegate.reading.project import migratingcode, pycode
from tidegate.reading.project.project import ProjectFiles

SEVERITY = "warning"
ERRORS = (
    r"CREATE INDEX CONCURRENTLY.*(hang|statement timeout)",
    r"canceling statement due to statement timeout[\s\S]*CONCURRENTLY",
)
PRINTED = "canceling statement due to statement timeout: CREATE INDEX CONCURRENTLY"
WHEN = (
    "at the first migration that builds an index concurrently; without a statement timeout it hangs"
)
BAD = {
    "alembic.ini": "[alembic]\nscript_location = migrations\n",
    "migrations/env.py": 'def run(connection):\n    connection.execute("SELECT pg_advisory_xact_lock(42)")\n',
    "migrations/versions/1_index.py": """revision = "1"
down_revision = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("i", "t", ["c"], postgresql_concurrently=True)
""",
}
GOOD = {
    **BAD,
    "migrations/env.py": 'def run(engine):\n    lock = engine.connect().execution_options(isolation_level="AUTOCOMMIT")\n    lock.execute("SELECT pg_try_advisory_lock(42)")\n',
}
AT = "migrations/env.py:2"


def look(project: ProjectFiles) -> Iterable[Problem]:
    """Yield locks that are held in a transaction, in a project that builds indexes concurrently."""
    modules: list[pycode.Module] = [*project.python]
    modules += [one.module for one in project.alembics if one.module is not None]
    index = migratingcode.concurrent_migration(project)
    for module in {one.path: one for one in modules}.values() if index else ():
        if "advisory" not in module.text or not migratingcode.about_migrations(module):
            continue
        for number, line in enumerate(module.text.split("\n"), 1):
            in_transaction = (
                "pg_advisory_xact_lock(" in line or "pg_try_advisory_xact_lock(" in line
            )
            lazily = "pg_try_advisory_lock(" in line and "autocommit" not in module.text.lower()
            if (in_transaction or lazily) and not line.lstrip().startswith("#"):
                yield Problem(
                    Place(module.path, number),
                    "This lock is held in an open transaction, for whose snapshot CREATE INDEX CONCURRENTLY waits without end.",
                    'take the lock with pg_try_advisory_lock on a connection in autocommit (isolation_level="AUTOCOMMIT")',
                    (index,) if index else (),
                )
