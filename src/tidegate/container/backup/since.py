"""What was written since a backup, and is lost by it, as far as that can be counted."""

from __future__ import annotations

from tidegate.container.backup import pgfacts
from tidegate.container.backup.archive import Backup
from tidegate.contracts.database import Session
from tidegate.databases.pgwire import quote_identifier, quote_literal
from tidegate.databases.postgresql import PostgreSQL
from tidegate.model.readiness import Permanent, Transient

COUNTING = "20s"  # that counting one table may take
OLDEST = 2_000_000_000  # transactions after which their numbers mean others
OID = "SELECT oid FROM pg_database WHERE datname = current_database()"


def written(backup: Backup, target: PostgreSQL) -> list[str]:
    """Say how many rows were written since the backup, by the transactions that wrote them.

    Deleted rows leave no trace to count. A database that was restored meanwhile has all its rows
    from then: there, and where the transactions' numbers are of no use, the rows are counted.
    """
    manifest = backup.manifest
    if target.connection.name != manifest["database"] or "xid" not in manifest:
        return []
    session = target.session(10.0)
    try:
        now = int(session.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0][0] or 0)
        since = now - int(manifest["xid"])
        session.query(f"SET statement_timeout = '{COUNTING}'")
        if manifest.get("oid") not in (None, str(session.query(OID)[0][0])):
            return _numbers(backup, session)
        if since < 0 or since > OLDEST:
            return []
        return _by_transactions(backup, session, since)
    finally:
        session.close()


def _by_transactions(backup: Backup, session: Session, since: int) -> list[str]:
    out = []
    tables = backup.manifest["tables"] or [".".join(map(str, row)) for row in
                                           session.query(pgfacts.TABLES)]  # fmt: skip
    for table in tables:
        if _own(table):
            continue
        count = _counted(session, table, f"WHERE age(xmin) BETWEEN 0 AND {since}")
        if count is None:
            out.append(f"{table}: what was written since can't be counted in {COUNTING}")
        elif count:
            out.append(f"{table}: {count} rows were written or changed since")
    return out


def _numbers(backup: Backup, session: Session) -> list[str]:
    """Say of which tables the number of rows is another one now."""
    if not backup.manifest["tables"]:
        return []
    out = ["The database was restored since that backup, so that rows can't be told by their age."]
    for table, had in backup.manifest["tables"].items():
        if _own(table):
            continue
        count = _counted(session, table, "")
        if count is None:
            out.append(f"{table}: can't be counted in {COUNTING}")
        elif count != had:
            out.append(f"{table}: {count} rows now, {had} in the backup")
    return out if len(out) > 1 else [*out, "Each table has as many rows as it had."]


def _own(table: str) -> bool:
    return table.partition(".")[2].startswith("tidegate_")


def _counted(session: Session, table: str, which: str) -> int | None:
    """Return how many rows a table has, 0 where there is no such table, None in case of doubt."""
    space, _, name = table.partition(".")
    full = f"{quote_identifier(space)}.{quote_identifier(name)}"
    if not session.query(f"SELECT to_regclass({quote_literal(full)})")[0][0]:
        return 0
    try:
        return int(session.query(f"SELECT count(*) FROM ONLY {full} {which}")[0][0] or 0)
    except (Transient, Permanent):
        return None
