"""What was written since a backup, and is lost by it, as far as that can be counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.container.backup import pgfacts
from tidegate.container.backup.archive import Backup
from tidegate.contracts.database import Rows, Session, TableMissing
from tidegate.databases import pgidentity
from tidegate.databases.pgwire import quote_identifier
from tidegate.databases.postgresql import PostgreSQL
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.words import counted

COUNTING = "20s"  # that counting one table may take
TOO_LONG = "57014"
OLDEST = 2_000_000_000  # transactions after which their numbers mean others
MARGIN = 1_000_000  # transactions that may begin while we count
HALF = 1 << 31
ASK = (
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text, "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


UNKNOWN = "How much that is can't be counted here."
NOTHING = "No row was written or changed since; rows that were deleted leave no trace to count."


def written(backup: Backup, target: PostgreSQL, name: str) -> list[str]:
    """Say how many rows were written since the backup, by the transactions that wrote them.

    `name` is what the project calls the database; a pooler may have another for it.

    Deleted rows leave no trace to count. A database that was restored meanwhile has all its rows
    from then: there, and where the transactions' numbers are of no use, the rows are counted.
    """
    manifest = backup.manifest
    if "xid" not in manifest:
        return [UNKNOWN]
    session = target.session(10.0)
    try:
        cluster = pgidentity.cluster(session)
        if of_another(manifest, name, cluster):
            said = f"The backup is of another database: {manifest['database']}"
            same = name == manifest["database"]
            return [f"{said}, on another server." if same else f"{said}."]
        ((now, oid),) = session.query(ASK)
        since = int(str(now)) - int(manifest["xid"])
        session.query(f"SET statement_timeout = '{COUNTING}'")
        session.query("SET row_security = off")  # an error is better than what one may see
        if manifest.get("oid") not in (None, str(oid)):
            return _numbers(backup, session)
        if since < 0 or since > OLDEST:
            return [UNKNOWN]
        return _by_transactions(manifest, session, int(str(now))) or [NOTHING]
    finally:
        session.close()


def of_another(manifest: Mapping[str, Any], name: str, cluster: str) -> bool:
    """Whether a backup is known to be of another database than the one of this name, there."""
    if manifest["database"] != name:
        return True
    theirs = manifest.get("cluster", "")
    return bool(theirs and cluster) and theirs != cluster


def _by_transactions(manifest: Mapping[str, Any], session: Session, now: int) -> list[str]:
    """Count rows by their transactions: those after the snapshot, and those then open.

    Of what was between the oldest open one and the snapshot it can't be told which was a part
    (a savepoint) of an open one.
    """
    xid, still = int(manifest["xid"]), [int(one) for one in manifest.get("open", "").split(",")
                                        if one]  # fmt: skip
    first = int(manifest["xmin"]) if still else xid
    number = "xmin::text::bigint"
    sure = _from(xid)
    if still:
        sure = f"({sure} OR {number} IN ({', '.join(str(one % (HALF * 2)) for one in still)}))"
    which = f"WHERE age(xmin) BETWEEN 0 AND {now - first + MARGIN} AND {_from(first)}"
    out = []
    for table in (*_tables(session), ("pg_catalog", "pg_largeobject_metadata")):
        shown = "large objects" if table[0] == "pg_catalog" else ".".join(table)
        count, why = _counted(session, table, f"count(*) FILTER (WHERE {sure}), count(*)", which)
        if why:
            out.append(f"{shown}: what was written since can't be counted: {why}")
            continue
        known, most = (int(str(one)) for one in count[0])
        if known:
            out.append(f"{shown}: {counted(known, 'row')} written or changed since")
        if most > known:
            more = counted(most - known, "row")
            out.append(
                f"{shown}: up to {more} more, by transactions that were open when it was made"
            )
    return out


def _from(xid: int) -> str:
    """Return the condition that a row was written by a transaction or a later one."""
    return f"((xmin::text::bigint - {xid % (HALF * 2)}) & {HALF * 2 - 1}) < {HALF}"


def _tables(session: Session) -> list[tuple[str, str]]:
    rows = [(str(space), str(name)) for space, name in session.query(pgfacts.TABLES)]
    return [one for one in rows if not _is_record(one[1])]


def _is_record(table: str) -> bool:
    """Whether it says which steps were applied, and nothing of a user's."""
    return table.startswith("tidegate_") or table in ("django_migrations", "alembic_version")


def _numbers(backup: Backup, session: Session) -> list[str]:
    """Say of which tables the number of rows is another one now."""
    before = backup.manifest["tables"]
    if not before:
        return [UNKNOWN]
    out = ["The database was restored since that backup, or made anew, so that rows can't be told "
           "by their age."]  # fmt: skip
    now = _tables(session)
    gone = [one for one in before if one not in {".".join(table) for table in now}
            and not _is_record(one.partition(".")[2])
            and not pgfacts.is_view(backup.manifest, one)]  # fmt: skip
    out += [f"{one}: is not there now, {counted(before[one], 'row')} in the backup" for one in gone]
    for table in now:
        shown = ".".join(table)
        count, why = _counted(session, table, "count(*)", "")
        had = before.get(shown, 0)
        if why:
            out.append(f"{shown}: can't be counted: {why}")
        elif int(str(count[0][0])) != had:
            out.append(f"{shown}: {counted(int(str(count[0][0])), 'row')} now, {had} in the backup")
    return out if len(out) > 1 else [*out, "Each table has as many rows as it had."]


def _counted(session: Session, table: tuple[str, str], what: str, which: str) -> tuple[Rows, str]:
    """Return what was counted, or why it could not be."""
    full = f"{quote_identifier(table[0])}.{quote_identifier(table[1])}"
    try:
        return session.query(f"SELECT {what} FROM ONLY {full} {which}"), ""
    except TableMissing:
        return [("0", "0")], ""  # dropped just now
    except Permanent as error:
        return [], error.what
    except Transient as error:
        return [], f"not within {COUNTING}" if TOO_LONG in str(error) else str(error)
