"""The scratch server: an embedded PostgreSQL of its own for one rehearsal, gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.databases import pglogin, pgparams, pgwire
from tidegate.databases.pgwire import quote_identifier
from tidegate.errors import RefusedForGood, UsageProblem
from tidegate.process import Command, Result, run
from tidegate.workflows.demo.server import ordinary_account
from tidegate.workflows.plan.programs import Programs, reachable

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
def embedded(programs: Programs) -> Iterator[Server]:
    """Start a server in a temporary folder; stop it and remove the folder at the end."""
    account = ordinary_account()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-plan-"))
    child: subprocess.Popen[bytes] | None = None
    try:
        if account:
            folder.chmod(0o711)
        usable = reachable(programs, account, folder)
        data = folder / "data"
        _wait_for(programs)
        _cluster(usable, data, account)
        password = secrets.token_hex(12)
        port = _free_port()
        child = _start(usable, data, port, folder / "log", account)
        server = Server(usable, "127.0.0.1", str(port), USER, password, programs.version, True)
        _until_ready(server, child, folder / "log", data)
        yield server
    finally:
        if child is not None:
            _stop(child)
        shutil.rmtree(folder, ignore_errors=True)


_begun: dict[str, threading.Thread] = {}


@contextmanager
def begun(programs: Programs) -> Iterator[None]:
    """Make a cluster of this version beside what happens meanwhile, where the cache has none."""
    if not (cache() / f"cluster-{programs.version}" / "PG_VERSION").exists():
        _begun[programs.version] = threading.Thread(target=_make, args=(programs,))
        _begun[programs.version].start()
    try:
        yield
    finally:
        _wait_for(programs)


def _wait_for(programs: Programs) -> None:
    if programs.version in _begun:
        _begun.pop(programs.version).join()


def _make(programs: Programs) -> None:
    account = ordinary_account()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-plan-"))
    try:
        if account:
            folder.chmod(0o711)
        _cluster(reachable(programs, account, folder), folder / "data", account)
    except (OSError, RefusedForGood):
        pass  # whoever wants it meets the error again, and says it
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cluster(programs: Programs, data: Path, account: Mapping[str, Any]) -> None:
    """Make a cluster, from the copy that an earlier run left in the cache where there is one."""
    kept = cache() / f"cluster-{programs.version}"
    if (kept / "PG_VERSION").exists():
        try:
            shutil.copytree(kept, data, symlinks=True)
        except (OSError, shutil.Error):
            shutil.rmtree(data, ignore_errors=True)
    if not data.exists():
        data.mkdir(mode=0o700)
        if account:
            os.chown(data, account["user"], account["group"])
        done = subprocess.run(
            [programs.path("initdb"), "-D", str(data), "-U", USER, "-N", "-A", "trust",
             "-E", "UTF8", "--locale=C", "--wal-segsize=1"],
            capture_output=True, text=True, cwd=str(data.parent), timeout=120, **account,
        )  # fmt: skip
        if done.returncode:
            raise RefusedForGood(
                "the scratch PostgreSQL can't be made",
                (done.stderr or done.stdout).strip(),
                "name a server with --scratch URL",
            )
        _keep(data, kept)
    data.chmod(0o700)
    if account:
        for path in [data, *data.rglob("*")]:
            os.chown(path, account["user"], account["group"], follow_symlinks=False)


def _keep(data: Path, kept: Path) -> None:
    """Keep a copy for the next run; a cache that can't be written is done without."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(dir=kept.parent, prefix="making-"))
        shutil.copytree(data, half, symlinks=True, dirs_exist_ok=True)
        half.rename(kept)
    except OSError:
        pass


def cache() -> Path:
    """Return the folder of what can be made again."""
    given = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(given or Path.home() / ".cache") / "tidegate"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(
    programs: Programs, data: Path, port: int, log: Path, account: Mapping[str, Any]
) -> subprocess.Popen[bytes]:
    argv = [programs.path("postgres"), "-D", str(data), "-p", str(port)]
    for name, value in SETTINGS.items():
        argv += ["-c", f"{name}={value}"]
    with log.open("wb") as file:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                cwd=str(data), start_new_session=True, **account)  # fmt: skip


def _until_ready(server: Server, child: subprocess.Popen[bytes], log: Path, data: Path) -> None:
    """Wait for the server, give its superuser the password, and ask for it from then on."""
    deadline = time.monotonic() + 60
    while True:
        try:
            server.query(f"ALTER ROLE {USER} PASSWORD '{server.password}'")
            break
        except (OSError, pgwire.PgError):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RefusedForGood(
                    "the scratch PostgreSQL did not start",
                    log.read_text("utf-8", "replace")[-2000:].strip(),
                    "name a server with --scratch URL",
                ) from None
            time.sleep(0.02)
    # Written in place: the file stays its owner's.
    (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    server.query("SELECT pg_reload_conf()")


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Stop it at once: nothing of it is kept."""
    quick = signal.SIGTERM if sys.platform == "win32" else signal.SIGQUIT
    child.send_signal(quick)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


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
