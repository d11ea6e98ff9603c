"""A PostgreSQL for as long as a verification takes: on this machine, or at a given address."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidegate.container.backup import tools
from tidegate.contracts.database import Session
from tidegate.databases import pgwire
from tidegate.databases.pgwire import quote_identifier, quote_literal
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import NotReady, PolicyRefused, RefusedForGood, StepFailed, UsageProblem
from tidegate.model.connection import Connection, Secret
from tidegate.model.readiness import Permanent, Transient

SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off",
            "listen_addresses=", "max_connections=10")  # fmt: skip

KEPT = ("sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "options")  # of a URL


def named(url: str, alias: str, environ: Mapping[str, str]) -> Connection:
    """Return the database that a URL names, a server's or a file of SQLite's."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] in ("mysql", "mariadb"):
        from tidegate.container.backup.mysql import client

        return client.from_url(url, alias)
    if scheme != "sqlite":
        return from_url(url, alias, environ)
    # As SQLAlchemy and Django's readers of URLs have it: four slashes for an absolute path.
    path = Path(rest.removeprefix("/")).absolute() if rest.startswith("/") else Path()
    if not rest.startswith("/") or path.is_dir():
        raise UsageProblem(
            f"{url} names no file", "", "write it as sqlite:////folder/file, or sqlite:///file"
        )
    if not path.parent.is_dir():
        raise UsageProblem(
            f"the folder {path.parent} does not exist", "The backup was to come back there.",
            "make it, or name another file with --into",
        )  # fmt: skip
    return Connection(alias, "sqlite", name=str(path))


def from_url(url: str, alias: str, environ: Mapping[str, str]) -> Connection:
    """Return the connection that a URL names."""
    try:
        params = pgwire.params_from_url(url, environ)
    except (pgwire.BadUrl, pgwire.Unsupported) as error:
        raise UsageProblem(
            f"the address can't be read: {error}", "",
            "write it as postgresql://user:password@host:5432/name",
        ) from None  # fmt: skip
    host, port = params.hosts[0]
    options = {name: said for name in KEPT if (said := getattr(params, name))}
    return Connection(
        alias, "postgresql", host, str(port), params.user, Secret(params.password or ""),
        params.dbname, options=options,
    )  # fmt: skip


def check(url: str, source: Connection, version: str, environ: Mapping[str, str]) -> None:
    """Raise now what a verification would raise after a long dump, and say which server it is."""
    if source.vendor != "postgresql":
        from tidegate.container.backup.mysql import scratch as servers

        servers.check(url, source.alias, version, environ)
    elif url:
        _check_named(url, source, version, environ)
    else:
        _server_programs(version, environ)


def _check_named(url: str, source: Connection, version: str, environ: Mapping[str, str]) -> None:
    try:
        session = PostgreSQL(from_url(url, source.alias, environ), environ).session(10.0)
        theirs = str(session.query("SHOW server_version")[0][0])
        session.close()
    except Transient as error:
        raise NotReady(
            f"the server for the verification does not answer: {error.where}: {error.reason}",
            "It was named with --scratch or TIDEGATE_SCRATCH_URL. No backup was begun.",
            "see whether it runs and can be reached from here, or name another; without one, a "
            "server of this machine's own PostgreSQL is started for it",
        ) from None
    except Permanent as error:
        raise RefusedForGood(
            f"the server for the verification refuses: {error.what}", error.meaning,
            "correct --scratch or TIDEGATE_SCRATCH_URL",
        ) from None  # fmt: skip
    if tools.major(theirs) < tools.major(version):
        raise PolicyRefused(
            f"the server for the verification is {theirs}, and the database's is {version}",
            "What a newer server wrote may mean nothing to an older one. No backup was begun.",
            "name one of the same version or newer with --scratch or TIDEGATE_SCRATCH_URL",
        )


@contextmanager
def database(
    manifest: Mapping[str, Any], url: str, alias: str, environ: Mapping[str, str]
) -> Iterator[PostgreSQL]:
    """Give an empty database for a backup, gone afterwards: at `url`, else on a server of ours."""
    encoding, roles = str(manifest.get("encoding") or ""), manifest.get("roles") or ()
    if url:
        base = PostgreSQL(from_url(url, alias, environ), environ)
        session = base.session(10.0)
        refuse_lacking(session, base.connection.shown, roles)
        session.close()
        with beside(base, environ, encoding) as made:
            yield made
        return
    with _own_server(str(manifest["server"]), alias, environ) as own:
        session = own.session(10.0)
        for role in roles:
            if role != own.connection.user:
                session.query(f"CREATE ROLE {quote_identifier(role)}")
        session.close()
        with beside(own, environ, encoding) as made:
            yield made


def refuse_lacking(session: Session, shown: str, roles: Sequence[str]) -> None:
    """Refuse a server without the roles that policies and the like name."""
    known = {str(row[0]) for row in session.query("SELECT rolname FROM pg_roles")}
    lacking = [one for one in roles if one not in known]
    if lacking:
        raise PolicyRefused(
            f"the server of {shown} has no role {', '.join(lacking)}",
            "Policies or user mappings in the backup name it. Nothing was changed.",
            "\n".join(f"CREATE ROLE {quote_identifier(one)};" for one in lacking),
        )


@contextmanager
def beside(
    base: PostgreSQL, environ: Mapping[str, str], encoding: str = ""
) -> Iterator[PostgreSQL]:
    """Give a new database on the server of `base`; dropped afterwards."""
    from dataclasses import replace

    name = f"tidegate_scratch_{os.getpid()}_{int(time.time())}"
    session = base.session(10.0)
    coded = ""
    if encoding and session.query("SHOW server_encoding")[0][0] != encoding:
        coded = f" ENCODING {quote_literal(encoding)} LC_COLLATE 'C' LC_CTYPE 'C'"
    try:
        session.query(f"CREATE DATABASE {name} TEMPLATE template0{coded}")
        try:
            yield PostgreSQL(replace(base.connection, name=name), environ)
        finally:
            session.query(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        session.close()


@contextmanager
def _own_server(version: str, alias: str, environ: Mapping[str, str]) -> Iterator[PostgreSQL]:
    account = unprivileged(("postgres", "nobody"))
    program = _server_programs(version, environ)
    folder = Path(tempfile.mkdtemp(prefix="tidegate-scratch-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        if account:
            os.chown(folder, account["user"], account["group"])
            program = _reachable(program, folder)
        data = str(folder / "data")
        make = [program.path("initdb"), "-D", data, "-U", "postgres", "-N", "-A", "trust",
                "--encoding=UTF8", "--locale=C"]  # fmt: skip
        made = subprocess.run(make, cwd="/", capture_output=True, check=False, **account)
        if made.returncode:
            said = made.stderr.decode("utf-8", "replace").strip().splitlines()
            raise StepFailed(
                f"the scratch server could not be made: {said[-1] if said else ''}", "",
                "name another server: --scratch postgresql://user:password@host/postgres",
            )  # fmt: skip
        argv = [program.path("postgres"), "-D", data, "-k", str(folder)]
        for setting in SETTINGS:
            argv += ["-c", setting]
        with open(folder / "log", "wb") as log:
            server = subprocess.Popen(
                argv, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **account,
            )  # fmt: skip
        _await(server, folder)
        known = Connection(alias, "postgresql", str(folder), "5432", "postgres", name="postgres")
        yield PostgreSQL(known, environ)
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _await(server: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + 60
    status = folder / "data" / "postmaster.pid"
    while True:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            lines = []
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        if server.poll() is not None or time.monotonic() > until:
            said = (folder / "log").read_text("utf-8", "replace").strip().splitlines()
            raise StepFailed(
                f"the scratch server did not start: {said[-1] if said else ''}", "",
                "name another server: --scratch postgresql://user:password@host/postgres",
            )  # fmt: skip
        time.sleep(0.05)


def _server_programs(version: str, environ: Mapping[str, str]) -> tools.Tools:
    """Return programs that can run a server of that version."""
    major = tools.major(version)
    good = [one for one in tools.installed(environ, "initdb") if one.major >= major]
    if not good:
        raise PolicyRefused(
            f"there is no PostgreSQL {major} or newer here to restore the backup into",
            "A full verification restores it into a scratch database.",
            "name a server with --scratch postgresql://user:password@host/postgres\n"
            "or install one here: pip install 'tidegate[demo]'",
        )
    return min(good, key=lambda one: one.major)


def _reachable(program: tools.Tools, folder: Path) -> tools.Tools:
    """Return the programs where the other account may run them: root's home is closed to it."""
    real = program.folder.resolve()
    if all(parent.stat().st_mode & 0o001 for parent in (real, *real.parents)):
        return program
    place = folder / "programs"
    copy = place.joinpath(*real.parent.parts[-2:])
    shutil.copytree(real.parent, copy, symlinks=True)
    libraries = real.parents[1].with_suffix(".libs")  # of a wheel, beside its package
    if libraries.is_dir():
        shutil.copytree(libraries, place / libraries.name, symlinks=True)
    return tools.Tools(copy / real.name, program.version)


def unprivileged(names: Sequence[str]) -> dict[str, Any]:
    """Return subprocess's arguments for another account: a server refuses to run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd

    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return {}
