"""The target: what a rehearsal reads of it. Its sessions are read-only by the server's setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tidegate.databases import pgbeginnings, pgparams, pgwire
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.process import Result
from tidegate.rehearsal.looking import READ_ONLY, facts
from tidegate.workflows.plan.project import Request
from tidegate.workflows.plan.scratch import Server, make_roles

PATIENCE = "10s"
_PATH = re.compile(r"(?:-c\s*|--)search_path=(?:\\.|\S)+")  # of the project's own options


@dataclass(slots=True)
class Target:
    """What was read of the target, before anything ran."""

    connection: Connection
    version: str = ""
    identity: str = ""
    schema: list[str] = field(default_factory=list)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    recorded: Sequence[Sequence[str]] = ()
    roles: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    journal: dict[str, dict[str, str]] = field(default_factory=dict)  # of steps half applied
    unreadable: list[str] = field(default_factory=list)  # patterns of pg_dump
    settings: dict[str, str] = field(default_factory=dict)  # what the app's sessions begin with

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        digits = self.version.split(".")[0].split("beta")[0].split("rc")[0].split()
        return int(digits[0]) if digits and digits[0].isdigit() else 0


def asked_for(request: Request, connection: Connection) -> Connection:
    """Return the login of the target that is asked for: a URL, a place, or the project's own."""
    host, port = request.place
    if request.against:
        return from_url(request.against, connection, request.environ)
    return replace(connection, host=host, port=port) if host else connection


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
    own = _PATH.search(str(known.options.get("options") or ""))
    if said := params.options or (own and own[0]):
        options["options"] = said
    return replace(known, host=host, port=str(port), user=params.user, name=params.dbname,
                   password=Secret(params.password or ""), options=options)  # fmt: skip


def look(
    connection: Connection, recorded_sql: str, environ: Mapping[str, str], login: str = ""
) -> Target:
    """Read the target's level, schema, sizes and identity. Raises as `Database.session`."""
    return Target(connection, **facts(connection, recorded_sql, environ, login))


def dumping(one: Connection) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return pg_dump's words for the schema, without owners and grants, and its variables."""
    environ = {"PGPASSWORD": one.password.reveal(), "PGOPTIONS": READ_ONLY,
               "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "tidegate plan"}  # fmt: skip
    for option in ("sslmode", "sslrootcert", "sslcert", "sslkey"):
        if one.options.get(option):
            environ["PG" + option.upper()] = str(one.options[option])
    argv = ["--schema-only", "--no-owner", "--no-privileges",
            "--no-publications", "--no-subscriptions", "--no-tablespaces",
            "--lock-wait-timeout=5000", "-T", "tidegate_run", "-T", "tidegate_step",
            "-T", "tidegate_backfill", "-T", "tidegate_part", "-T", "tidegate_history"]  # fmt: skip
    for flag, value in (("-h", one.host), ("-p", one.port), ("-U", one.user), ("-d", one.name)):
        argv += [flag, value] if value else []
    return tuple(argv), environ


def dump(target: Target, pg_dump: Callable[[Sequence[str], Mapping[str, str]], Result]) -> str:
    """Return the target's schema as SQL; `pg_dump` runs that program with words and variables.

    What the role may not read is left out: pg_dump would stop at it.
    """
    words, environ = dumping(target.connection)
    left_out = [word for name in target.unreadable for word in (
        ("-N", name[:-2]) if name.endswith(".*") else ("-T", name))]  # fmt: skip
    done = pg_dump([*words, *left_out], environ)
    if not done.ok:
        said = (done.err or done.why).strip()
        raise RefusedForGood(f"the schema of {target.connection.shown} can't be dumped", said,
                             _undumped(said))  # fmt: skip
    return done.out


def _undumped(said: str) -> str:
    words = "or rehearse from the migrations with --from"
    if "lock timeout" in said:
        return (
            "somebody holds a table locked for longer than 5 s (see pg_stat_activity): try again "
            f"afterwards, {words}"
        )
    if "server version mismatch" in said:
        return (
            "the target is newer than the PostgreSQL programs on this machine: install newer ones "
            f"(pip install -U 'tidegate[plan]', or the server's own client package), {words}"
        )
    return (
        "give --against a role that may read every table (pg_read_all_data, or before PostgreSQL "
        f"14 SELECT on each), {words}"
    )


def settle(server: Server, database: str, found: Target | None) -> None:
    """Have the scratch database's sessions begin as the app's do on the target.

    Nobody else is there, so whoever waits for a lock waits for another session of its own.
    """
    settings = {"lock_timeout": PATIENCE, **(found.settings if found else {})}
    server.query("; ".join(pgbeginnings.statements(database, settings)))


def restore(server: Server, database: str, target: Target, sql: str) -> list[str]:
    """Make the target's schema in the scratch database; return what could not be made."""
    make_roles(server, target.roles)
    done = server.client("psql", "-X", "-q", "-d", database, stdin=sql)
    wrong = [line for line in done.err.splitlines() if "ERROR:" in line]
    unread = [f"{target.connection.user} may not read {name}" for name in target.unreadable]
    # Newer servers' dumps set what older ones don't know: harmless.
    return unread + [line.partition("ERROR:")[2].strip() for line in wrong
                     if "unrecognized configuration parameter" not in line]  # fmt: skip


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
    server.query(f"INSERT INTO {table} ({columns}{extra}) VALUES {values}", database)
