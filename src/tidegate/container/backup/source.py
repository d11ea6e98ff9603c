"""Where a backup's data come from: a database that is reached from here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from tidegate.container import parts
from tidegate.container.backup import pgdump, sites, sqlitecopy
from tidegate.container.backup.archive import Draft
from tidegate.container.backup.progress import Progress
from tidegate.container.gate import Gate
from tidegate.databases.postgresql import PostgreSQL
from tidegate.databases.sqlite import SQLite
from tidegate.model.connection import Connection

PAGE = 8192
CATALOGUE = 8_000_000  # bytes of a PostgreSQL database with nothing in it


class Source(Protocol):
    """What a backup asks of its database, wherever that is."""

    connection: Connection
    framework: str

    @property
    def server(self) -> str:
        """The server's version; empty where there is none."""

    def level(self) -> dict[str, Any]:
        """Return the framework's rows, and their digest, for the manifest."""

    def size(self) -> tuple[int, str]:
        """Return about how many bytes the tables have, and which tool keeps the server's log."""

    def dump(self, draft: Draft, tell: Progress, jobs: int) -> dict[str, Any]:
        """Write the data into the draft, and return what the manifest says of them."""


class Here:
    """A project's own database."""

    def __init__(self, gate: Gate, connection: Connection, environ: Mapping[str, str]) -> None:
        self.gate, self.connection, self.environ = gate, connection, environ
        self.framework = gate.project.framework

    @property
    def server(self) -> str:
        """Ask it."""
        if self.connection.vendor == "sqlite":
            return ""
        session = self.gate.database(self.connection).session(5.0)
        try:
            return str(session.query("SHOW server_version")[0][0])
        finally:
            session.close()

    def level(self) -> dict[str, Any]:
        """Read the level anew."""
        alias = self.connection.alias
        self.gate.standing(self.connection)
        session = self.gate.database(self.connection).session(5.0)
        try:
            half = sorted(parts.all_half_done(session.query))
        finally:
            session.close()
        return {
            "level": [".".join(row) for row in self.gate.recorded_rows(alias)],
            "level_digest": self.gate.recorded_digest(alias),
            "half": half,
        }

    def size(self) -> tuple[int, str]:
        """Ask the catalogue.

        `pg_table_size` would know better, and waits behind whoever holds a table's lock.
        """
        if self.connection.vendor == "sqlite":
            path = SQLite(self.connection).path
            return (os.path.getsize(path) if path and os.path.exists(path) else 0), ""
        session = self.gate.database(self.connection).session(5.0)
        try:
            rows = session.query(
                "SELECT pg_database_size(current_database()), "
                "coalesce(sum(relpages) FILTER (WHERE relkind IN ('r', 'm', 't')), 0), "
                "coalesce(sum(relpages), 0) FROM pg_class WHERE oid >= 16384"
            )
            tool = sites.archiver(session)
        finally:
            session.close()
        whole, tables, all_of_them = (int(str(one)) for one in rows[0])
        known = all_of_them * PAGE > whole / 2  # the numbers of pages are those of the last VACUUM
        return int(max(0, whole - CATALOGUE) * (tables / all_of_them if known else 1.0)), tool

    def dump(self, draft: Draft, tell: Progress, jobs: int) -> dict[str, Any]:
        """Have the database's own way write it."""
        database = self.gate.database(self.connection)
        if not isinstance(database, PostgreSQL):
            return sqlitecopy.dump(SQLite(self.connection).path, draft, tell)
        found = pgdump.dump(database.direct(), draft, self.environ, tell, jobs)
        if found["jobs"] < jobs:
            tell.report.warn(f"one job: {found['tool']} can't write a folder on this machine")
        return found
