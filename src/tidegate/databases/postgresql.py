"""PostgreSQL 13 and newer: how it is reached, and whether it is there."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.contracts.database import Session
from tidegate.databases import pgidentity, pginit, pglogin, pgwire
from tidegate.databases.pgelection import PostgreSQLElection
from tidegate.databases.pgsession import Driver, Wire, at, explained
from tidegate.model.connection import Connection, Secret
from tidegate.model.oserrors import classify_os_error
from tidegate.model.readiness import Permanent, Transient

VENDOR = "postgresql"


class PostgreSQL:
    """One PostgreSQL database."""

    def __init__(self, connection: Connection, environ: Mapping[str, str]) -> None:
        self.connection = connection
        self._environ = environ

    def probe(self, timeout: float) -> str:
        """Log in, ask one query; return name and version."""
        try:
            session = self.session(timeout)
        except Permanent:
            if self._is_being_made(timeout):
                raise Transient(pginit.REASON) from None
            raise
        try:
            if pginit.is_temporary(session.query):
                raise Transient(pginit.REASON)
            rows = session.query("SELECT pg_is_in_recovery(), current_setting('server_version')")
            in_recovery, version = rows[0]
            return f"PostgreSQL {version}{', a standby' if in_recovery == 't' else ''}"
        finally:
            session.close()

    def _is_being_made(self, timeout: float) -> bool:
        """Return whether the database isn't there because its server is just being initialised."""
        from dataclasses import replace

        try:
            if self.params().hosts[0][0][:1] != "/":
                return False  # TCP doesn't reach the server that does this
            session = PostgreSQL(replace(self.connection, name="postgres"), self._environ).session(
                timeout
            )
            try:
                return pginit.is_temporary(session.query)
            finally:
                session.close()
        except (Transient, Permanent, pgwire.BadUrl, pgwire.Unsupported):
            return False

    def session(self, timeout: float) -> Session:
        """Log in; speaks the protocol itself, or through the app's driver where it can't."""
        return self.wire(timeout)

    def wire(self, timeout: float, name: str = "tidegate") -> Wire | Driver:
        """Log in under a name that `pg_stat_activity` shows."""
        try:
            params = self.params()
            params.application_name = name
            return Wire(pglogin.connect(params, timeout), self.connection)
        except pgwire.Unsupported as reason:
            return Driver(self.connection, timeout, str(reason))
        except pgwire.BadUrl as error:
            raise Permanent(
                f"the address of database {self.connection.alias} can't be read: {error}",
                "It is not a form that PostgreSQL's own clients accept.",
                "correct the connection settings of this database",
            ) from None
        except pgwire.TlsRefused as error:
            raise Permanent(
                f"TLS with {self.connection.shown} failed: {error}",
                "The connection settings ask for TLS in a way that the server does not offer.",
                "set sslmode and sslrootcert to what the server has, or give the server a "
                "certificate",
            ) from None
        except pgwire.PgError as error:
            raise at(explained(error, self.connection), self.connection) from None
        except OSError as error:
            why = classify_os_error(error, self.connection.host or "the local socket")
            raise at(why, self.connection) from None

    def params(self) -> pgwire.Params:
        """Return the login as the wire client takes it."""
        one = self.connection
        return pgwire.params_from_fields(
            one.host,
            one.port,
            one.user,
            one.password.reveal(),
            one.name,
            one.options,
            self._environ,
        )

    def election(self, timeout: float, held: object = None) -> PostgreSQLElection:
        """Open the election's own connection, to TIDEGATE_DIRECT_URL when a pooler is between.

        `held` is the fast path's connection, when it has won already.
        """
        won = Wire(held, self.connection) if isinstance(held, pgwire.Connection) else None
        direct = self.direct()
        if direct is not self:
            self._refuse_other(direct, timeout)
        return PostgreSQLElection(direct, timeout, won)

    def past_pooler(self, timeout: float) -> Connection:
        """Return the login that passes a pooler by; its own where the environment names none."""
        direct = self.direct()
        if direct is not self:
            self._refuse_other(direct, timeout)
        return direct.connection

    def _refuse_other(self, direct: PostgreSQL, timeout: float) -> None:
        """Refuse a direct way that ends in another database, before anything is sent there."""
        alias = self.connection.alias
        ours, theirs = self._identity(timeout), direct._identity(timeout)
        said = pgidentity.variable(alias, self._environ)
        pgidentity.refuse_other(said, ours, theirs, alias)

    def _identity(self, timeout: float) -> tuple[str, pgidentity.Identity]:
        session = self.session(timeout)
        try:
            return self.connection.shown, pgidentity.identity(session)
        finally:
            session.close()

    def direct(self) -> PostgreSQL:
        """Return this database reached without the pooler, when the environment names a way.

        `TIDEGATE_DIRECT_URL`, or `TIDEGATE_DIRECT_URL_<ALIAS>` for one of several. What the URL
        leaves out is the project's: the database's name, the user, the password.
        """
        said = pgidentity.variable(self.connection.alias, self._environ)
        if not said:
            return self
        from dataclasses import replace

        ours = {"PGUSER": self.connection.user, "PGDATABASE": self.connection.name}
        ours = {name: value for name, value in ours.items() if value}
        try:
            params = pgwire.params_from_url(self._environ[said], {**self._environ, **ours})
        except (pgwire.BadUrl, pgwire.Unsupported) as error:
            raise Permanent(
                f"{said} can't be read: {error}",
                "It names the way to the database that passes the pooler by.",
                "write it as postgresql://user:password@host:5432/name",
            ) from None
        host, port = params.hosts[0]
        known = replace(
            self.connection,
            host=host,
            port=str(port),
            user=params.user,
            password=Secret(params.password or self.connection.password.reveal()),
            name=params.dbname,
        )
        return PostgreSQL(known, self._environ)


def database(connection: Connection, environ: Mapping[str, str]) -> PostgreSQL:
    """Return the database that `connection` names."""
    return PostgreSQL(connection, environ)
