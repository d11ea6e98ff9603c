"""The scratch server: what is done on it, whether it is our own or one that a URL names."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tidegate.databases import pglogin, pgparams, pgwire
from tidegate.databases.pgwire import quote_identifier
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.process import Command, Result, run
from tidegate.workflows.plan.programs import Programs

USER = "tidegate"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # its own work would be counted into the WAL of a statement
    "max_connections": "30",
    "shared_buffers": "64MB",
    "max_locks_per_transaction": "1024",
    "max_wal_size": "2GB",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that a scratch database can be made on; `programs` are for psql and pg_dump."""

    programs: Programs
    host: str
    port: str
    user: str
    password: str
    version: str
    is_ours: bool = False  # gone afterwards, with all that is on it
    made: list[str] = field(default_factory=list)  # roles, to be dropped where it is not ours

    def query(self, sql: str, database: str = "postgres") -> list[tuple[str | None, ...]]:
        """Run SQL on one of its databases."""
        session = self.connect(database)
        try:
            return [tuple(row) for row in session.query(sql)]
        finally:
            session.close()

    def connect(self, database: str) -> pgwire.Connection:
        """Log in."""
        fields = (self.host, self.port, self.user, self.password, database)
        return pglogin.connect(pgwire.params_from_fields(*fields, {}, {}), 10.0)

    def client(self, program: str, *words: str, stdin: str | None = None) -> Result:
        """Run one of PostgreSQL's client programs on it."""
        argv = (self.programs.path(program), "-h", self.host, "-p", self.port, "-U", self.user)
        environ = {"PGPASSWORD": self.password, "PGOPTIONS": "", "PGCONNECT_TIMEOUT": "10"}
        command = Command((*argv, *words), environ=environ, secrets=(self.password,))
        return run(command, timeout=300.0, stdin=stdin, exact=True)


@contextmanager
def given(url: str, programs: Programs, environ: Mapping[str, str]) -> Iterator[Server]:
    """Use a server that a URL names: databases are made on it, and dropped."""
    try:
        params = pgwire.params_from_url(url, environ)
    except (pgparams.BadUrl, pgparams.Unsupported) as error:
        raise UsageProblem(
            f"the address after --scratch can't be read: {error}",
            "It names a server on which databases may be made and dropped.",
            "write it as postgresql://postgres:password@localhost:5432/postgres",
        ) from None
    host, port = params.hosts[0]
    server = Server(programs, host, str(port), params.user, params.password or "", "")
    try:
        version = server.query("SHOW server_version", params.dbname)[0][0] or ""
    except (OSError, pgwire.PgError) as error:
        raise RefusedForGood(
            f"the scratch server {params.user}@{host}:{port} can't be used: {error}",
            "The rehearsal makes a database on it.",
            "correct --scratch, or leave it out to use the embedded server",
        ) from None
    made = Server(programs, host, str(port), params.user, params.password or "", version)
    try:
        yield made
    finally:
        _drop_roles(made)


def make_roles(server: Server, wanted: Sequence[str]) -> None:
    """Make the roles that a schema or a step may name, where there are none of that name."""
    have = {row[0] for row in server.query("SELECT rolname FROM pg_roles")}
    missing = [role for role in wanted if role not in have]
    if missing:
        server.query("; ".join(f"CREATE ROLE {quote_identifier(role)}" for role in missing))
        server.made.extend(missing)


def _drop_roles(server: Server) -> None:
    """Drop the roles that were made; one that another rehearsal uses stays."""
    for role in server.made:
        with suppress(OSError, pgwire.PgError):
            server.query(f"DROP ROLE {quote_identifier(role)}")


@contextmanager
def database(server: Server, name: str) -> Iterator[str]:
    """Make an empty database; drop it at the end. Its name is the target's where that is free."""
    taken = {row[0] for row in server.query("SELECT datname FROM pg_database")}
    made = name if name and name not in taken else f"tidegate_{secrets.token_hex(4)}"
    quoted = quote_identifier(made)
    server.query(f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield made
    finally:
        try:
            if not server.is_ours:  # dropping one waits for a checkpoint
                server.query(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
        except (OSError, pgwire.PgError):
            pass  # an embedded server that is already gone
