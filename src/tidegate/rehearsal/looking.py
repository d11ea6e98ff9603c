"""What is read of the target, by sessions that can't write: the server itself refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tidegate import discovery
from tidegate.contracts.database import Session, TableMissing
from tidegate.databases import pgbeginnings, pgschema, sqliteschema
from tidegate.databases.postgresql import PostgreSQL
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

PATIENCE = 5  # seconds for the tables that a view is made of
READ_ONLY = "-c default_transaction_read_only=on"
_ROLES = "SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'"
# As patterns of pg_dump's. A table of an extension is no part of a dump.
_UNREADABLE = (
    "SELECT quote_ident(n.nspname) || '.*' FROM pg_namespace n WHERE NOT "
    "has_schema_privilege(n.oid, 'USAGE') AND n.nspname !~ '^(pg_|information_schema$)' "
    "UNION ALL SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
    "AND n.nspname !~ '^(pg_|information_schema$)' AND has_schema_privilege(n.oid, 'USAGE') "
    "AND NOT has_table_privilege(c.oid, 'SELECT') AND c.relname !~ '^tidegate_' "
    "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid "
    "AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')"
)
_HAS_JOURNAL = "SELECT has_table_privilege(to_regclass('tidegate_part')::oid, 'SELECT')"
_EXTENSIONS = "SELECT extname FROM pg_extension"


def read_only(connection: Connection) -> Connection:
    """Return the same login, whose sessions can't write."""
    given = str(connection.options.get("options") or "")
    options = {**connection.options, "options": f"{given} {READ_ONLY}".strip()}
    if options.get("target_session_attrs") == "read-write":  # which such a session is not
        options["target_session_attrs"] = "primary"
    return replace(connection, options=options)


def facts(
    connection: Connection, recorded_sql: str, environ: Mapping[str, str], login: str = "",
    timeout: float = 5.0,
) -> dict[str, Any]:  # fmt: skip
    """Return the target's level, schema, sizes and identity. Raises as `Database.session`.

    `login` is the role that steps will run as, where another one looks.
    """
    if connection.vendor == "sqlite":
        file = discovery.database(connection, environ).session(timeout)
        try:
            return _of_file(connection, file, recorded_sql)
        finally:
            file.close()
    session = _session(connection, environ, timeout)
    try:
        return _of_server(session, recorded_sql, login or connection.user)
    finally:
        session.close()


def _session(connection: Connection, environ: Mapping[str, str], timeout: float) -> Session:
    """Log in so that nothing can be written; refuse a pooler.

    Its sessions are the app's as well, and pg_dump would leave them with settings of its own: an
    empty search path among them.
    """
    try:
        session = discovery.database(read_only(connection), environ).session(timeout)
    except Transient as error:
        if "startup parameter" in error.reason:  # PgBouncer's word for what a login asks for
            raise _pooler(connection) from None
        raise
    login = getattr(session, "login_pid", 0)
    if login and str(session.query("SELECT pg_backend_pid()")[0][0]) != str(login):
        session.close()
        raise _pooler(connection)
    return session


def _pooler(connection: Connection) -> Permanent:
    return Permanent(
        f"{connection.shown} is a connection pooler, not the server itself",
        "Its sessions are the app's as well, and dumping the schema would change their settings.",
        "reach the server directly: set TIDEGATE_DIRECT_URL=postgresql://user:password@server:5432"
        "/name, as for the migrations themselves",
    )


def past_pooler(connection: Connection, environ: Mapping[str, str]) -> Connection:
    """Return the way to the target that the environment names past a pooler, else its own."""
    if connection.vendor != "postgresql":
        return connection
    return PostgreSQL(connection, environ).past_pooler(5.0)


def _of_server(session: Session, recorded_sql: str, login: str) -> dict[str, Any]:
    """Read it in one transaction, which says itself that it only reads."""
    session.query(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = "
                  f"'{PATIENCE}s'")  # fmt: skip
    settings = pgbeginnings.of_role(session.query, login)
    found = {
        "version": str(session.query("SHOW server_version")[0][0]),
        "identity": pgschema.identity(session.query),
        "schema": pgschema.lines(session.query),
        "sizes": pgschema.sizes(session.query),
        "roles": [str(row[0]) for row in session.query(_ROLES)],
        "extensions": [str(row[0]) for row in session.query(_EXTENSIONS)],
        "unreadable": [str(row[0]) for row in session.query(_UNREADABLE)],
        "settings": settings,
    }
    if path := settings.get(pgbeginnings.PATH):
        session.query(f"SET LOCAL search_path TO {path}")
    journal: dict[str, dict[str, str]] = {}
    if session.query(_HAS_JOURNAL)[0][0] in ("t", True):
        for step, part, state in session.query("SELECT step, part, state FROM tidegate_part"):
            journal.setdefault(str(step), {})[str(part)] = str(state)
    return {**found, "journal": journal, "recorded": _recorded(session, recorded_sql)}


def _of_file(connection: Connection, session: Session, recorded_sql: str) -> dict[str, Any]:
    return {
        "identity": f"file {connection.name}",
        "schema": sqliteschema.lines(session.query),
        "sizes": sqliteschema.sizes(session.query),
        "recorded": _recorded(session, recorded_sql),
    }


def _recorded(session: Session, sql: str) -> list[tuple[str, ...]]:
    try:
        return [tuple(column or "" for column in row) for row in session.query(sql)]
    except TableMissing:
        return []
