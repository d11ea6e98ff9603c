"""The target: what a rehearsal reads of it. Its sessions are read-only by the server's setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate import discovery
from tidegate.contracts.database import Session, TableMissing
from tidegate.databases import pgparams, pgschema, pgwire, sqliteschema
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.process import Command, run
from tidegate.workflows.plan.programs import Programs
from tidegate.workflows.plan.scratch import Server

READ_ONLY = "-c default_transaction_read_only=on"


@dataclass(slots=True)
class Target:
    """What was read of the target, before anything ran."""

    connection: Connection
    version: str = ""
    identity: str = ""
    schema: list[str] = field(default_factory=list)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    recorded: list[tuple[str, ...]] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        digits = self.version.split(".")[0].split("beta")[0].split("rc")[0].split()
        return int(digits[0]) if digits and digits[0].isdigit() else 0


def from_url(url: str, known: Connection, environ: Mapping[str, str]) -> Connection:
    """Return the login that a URL names, for the alias of `known`."""
    if known.vendor != "postgresql":
        path = url.removeprefix("sqlite:///")
        return replace(known, name=path)
    try:
        params = pgwire.params_from_url(url, environ)
    except (pgparams.BadUrl, pgparams.Unsupported) as error:
        raise UsageProblem(
            f"the address after --against can't be read: {error}",
            "It names the database whose schema is rehearsed.",
            "write it as postgresql://user@host:5432/name; the password may come from PGPASSWORD",
        ) from None
    host, port = params.hosts[0]
    options = {name: str(value) for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")
               if (value := getattr(params, name))}  # fmt: skip
    return replace(known, host=host, port=str(port), user=params.user, name=params.dbname,
                   password=Secret(params.password or ""), options=options)  # fmt: skip


def read_only(connection: Connection) -> Connection:
    """Return the same login, whose sessions can't write: the server itself refuses."""
    given = str(connection.options.get("options") or "")
    options = {**connection.options, "options": f"{given} {READ_ONLY}".strip()}
    return replace(connection, options=options)


def look(connection: Connection, recorded_sql: str, environ: Mapping[str, str]) -> Target:
    """Read the target's level, schema, sizes and identity. Raises as `Database.session`."""
    if connection.vendor == "sqlite":
        return _look_at_file(connection, recorded_sql, environ)
    session = discovery.database(read_only(connection), environ).session(5.0)
    try:

        def run_on(sql: str) -> Sequence[Sequence[object]]:
            return session.query(sql)

        return Target(
            connection,
            version=str(session.query("SHOW server_version")[0][0]),
            identity=pgschema.identity(run_on),
            schema=pgschema.lines(run_on),
            sizes=pgschema.sizes(run_on),
            recorded=_recorded(session, recorded_sql),
            roles=[str(row[0]) for row in session.query(
                "SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'")],
            extensions=[str(row[0]) for row in session.query("SELECT extname FROM pg_extension")],
        )  # fmt: skip
    finally:
        session.close()


def _recorded(session: Session, sql: str) -> list[tuple[str, ...]]:
    try:
        return [tuple(column or "" for column in row) for row in session.query(sql)]
    except TableMissing:
        return []


def _look_at_file(connection: Connection, recorded_sql: str, environ: Mapping[str, str]) -> Target:
    session = discovery.database(connection, environ).session(5.0)
    try:
        return Target(
            connection,
            "",
            f"file {connection.name}",
            sqliteschema.lines(session.query),
            sqliteschema.sizes(session.query),
            _recorded(session, recorded_sql),
        )
    finally:
        session.close()


def dump(target: Target, programs: Programs) -> str:
    """Return the target's schema as SQL, by `pg_dump`, without data, owners and grants."""
    one = target.connection
    environ = {"PGPASSWORD": one.password.reveal(), "PGOPTIONS": READ_ONLY,
               "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "tidegate plan"}  # fmt: skip
    for option in ("sslmode", "sslrootcert", "sslcert", "sslkey"):
        if one.options.get(option):
            environ["PG" + option.upper()] = str(one.options[option])
    argv = [programs.path("pg_dump"), "--schema-only", "--no-owner", "--no-privileges",
            "--no-publications", "--no-subscriptions", "--no-tablespaces",
            "--lock-wait-timeout=5000", "-T", "tidegate_run", "-T", "tidegate_step",
            "-T", "tidegate_backfill", "-T", "tidegate_part", "-T", "tidegate_history"]  # fmt: skip
    for flag, value in (("-h", one.host), ("-p", one.port), ("-U", one.user), ("-d", one.name)):
        argv += [flag, value] if value else []
    command = Command(tuple(argv), environ=environ, secrets=(one.password.reveal(),))
    done = run(command, timeout=300.0)
    if not done.ok:
        raise RefusedForGood(
            f"the schema of {one.shown} can't be dumped",
            (done.err or done.why).strip(),
            "give --against a role that may read every table (pg_read_all_data), or rehearse "
            "from the migrations with --from",
        )
    return done.out


def restore(server: Server, database: str, target: Target, sql: str) -> list[str]:
    """Make the target's schema in the scratch database; return what could not be made."""
    _make_roles(server, target.roles)
    done = server.client("psql", "-X", "-q", "-d", database, stdin=sql)
    wrong = [line for line in done.err.splitlines() if "ERROR:" in line]
    # Newer servers' dumps set what older ones don't know: harmless.
    return [line.partition("ERROR:")[2].strip() for line in wrong
            if "unrecognized configuration parameter" not in line]  # fmt: skip


def _make_roles(server: Server, roles: Sequence[str]) -> None:
    have = {row[0] for row in server.query("SELECT rolname FROM pg_roles")}
    for role in roles:
        if role not in have:
            quoted = '"' + role.replace('"', '""') + '"'
            server.query(f"CREATE ROLE {quoted}")


def record(server: Server, database: str, target: Target, recorded_sql: str) -> None:
    """Write the target's level into the scratch database, in the framework's own table."""
    if not target.recorded:
        return
    table = recorded_sql.partition(" FROM ")[2]
    columns = recorded_sql.partition("SELECT ")[2].partition(" FROM ")[0]
    extra, more = (", applied", ", now()") if "django_migrations" in table else ("", "")
    values = ", ".join(
        "(" + ", ".join("'" + word.replace("'", "''") + "'" for word in row) + more + ")"
        for row in target.recorded
    )
    session = server.connect(database)
    try:
        session.query(f"INSERT INTO {table} ({columns}{extra}) VALUES {values}")
    finally:
        session.close()
