"""Real servers for the tests of `--wait-for`: each on a free port, in its own temporary folder."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
POSTGRESQL = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def need(*programs: str | Path) -> None:
    """Skip the test, with the reason, when a program is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


def other_user(name: str) -> str | None:
    """The account a server must run as when the tests run as root."""
    return name if os.getuid() == 0 else None


@contextlib.contextmanager
def folder(user: str | None = None) -> Iterator[Path]:
    """A temporary folder below /tmp (short enough for Unix sockets) that `user` owns."""
    path = Path(tempfile.mkdtemp(prefix="tg-", dir="/tmp"))
    try:
        if user:
            shutil.chown(path, user, user)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def running(
    argv: Sequence[str | Path],
    log: Path,
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, ended when the block ends."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listening(port: int, seconds: float = 30) -> None:
    """Return when something accepts connections on the port."""
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def redis(port: int, *options: str) -> Iterator[Path]:
    """A Redis; gives its folder, which is also its data folder."""
    need("redis-server")
    with folder() as path:
        argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        with running([*argv, "--dir", path, *options], path / "log"):
            yield path


def nginx_config(path: Path, port: int, location: str) -> Path:
    """Write a configuration with one server, whose `location /` is given."""
    config = path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {path}/pid; error_log {path}/error.log; worker_processes 1;\n"
        f"events {{}} http {{ access_log {path}/access.log; client_body_temp_path {path}/b;\n"
        f"proxy_temp_path {path}/p; fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u;\n"
        f"scgi_temp_path {path}/s;\n"
        f"server {{ listen 127.0.0.1:{port}{location} }} }}\n"
    )
    return config


@contextlib.contextmanager
def nginx(port: int, location: str) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """An nginx; `location` continues after the port ("; location / { return 503; }")."""
    need("nginx")
    with folder() as path:
        config = nginx_config(path, port, location)
        with running(["nginx", "-p", path, "-c", config], path / "log") as process:
            yield path, process


def certificate(path: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    need("openssl")
    cert, key = path / "cert.pem", path / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*argv, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def _rabbitmq_definitions(users: Mapping[str, str], vhosts: Mapping[str, str]) -> str:
    """Users with passwords; virtual hosts with the user who may use each."""

    def hashed(password: str) -> str:
        salt = b"salt"
        return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()

    sha = "rabbit_password_hashing_sha256"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps(
        {
            "users": [
                {"name": n, "password_hash": hashed(p), "hashing_algorithm": sha, "tags": ""}
                for n, p in users.items()
            ],
            "vhosts": [{"name": name} for name in vhosts],
            "permissions": [
                {"vhost": vhost, "user": user, **everything} for vhost, user in vhosts.items()
            ],
        }
    )


@contextlib.contextmanager
def rabbitmq(
    port: int, users: Mapping[str, str], vhosts: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A RabbitMQ with an epmd of its own; it needs some seconds to listen."""
    need(RABBITMQ, "epmd")
    user, epmd = other_user("rabbitmq"), str(free_port())
    with folder(user) as path:
        (path / "definitions.json").write_text(_rabbitmq_definitions(users, vhosts))
        (path / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{port}\n"
            f"load_definitions = {path}/definitions.json\n"
        )
        (path / "plugins").write_text("[].\n")
        for file in ("log", "epmd.log"):
            (path / file).touch()
        env = {
            "HOME": str(path),
            "ERL_EPMD_PORT": epmd,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tg{port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_BASE": str(path),
            "RABBITMQ_MNESIA_BASE": str(path / "mnesia"),
            "RABBITMQ_LOG_BASE": str(path / "logs"),
            "RABBITMQ_PID_FILE": str(path / "pid"),
            "RABBITMQ_CONFIG_FILE": str(path / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(path / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(path / "no-env"),
        }
        with (
            running(["epmd"], path / "epmd.log", user=user, env=env),
            running([RABBITMQ], path / "log", user=user, env=env) as process,
        ):
            yield process


@contextlib.contextmanager
def postgresql(port: int, password: str) -> Iterator[Path]:
    """A PostgreSQL whose role `app` has this password and no database of its own."""
    need(POSTGRESQL / "initdb")
    user = other_user("postgres")
    with folder(user) as path:
        (path / "password").write_text(password)
        (path / "password").chmod(0o644)
        log = path / "log"
        log.touch()
        argv: list[str | Path] = [
            POSTGRESQL / "initdb",
            "-D",
            path / "data",
            "-U",
            "app",
            "-A",
            "scram-sha-256",
        ]
        with running([*argv, "-N", "--pwfile", path / "password"], log, user=user) as made:
            assert made.wait(60) == 0, log.read_text()
        argv = [POSTGRESQL / "postgres", "-D", path / "data", "-p", str(port), "-k", path]
        argv += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with running(argv, log, user=user, stop=signal.SIGINT):
            yield path


@contextlib.contextmanager
def mariadb(port: int) -> Iterator[Path]:
    """A MariaDB without any grant table, which greets like any other."""
    need("mariadbd")
    user = other_user("nobody")
    with folder() as path:
        if user:
            os.chown(path, *_ids(user))
        (path / "log").touch()
        argv = ["mariadbd", "--no-defaults", f"--datadir={path}", f"--port={port}"]
        argv += [f"--socket={path}/s", "--bind-address=127.0.0.1", "--skip-grant-tables"]
        argv += ["--skip-networking=0", f"--pid-file={path}/pid", "--innodb=OFF"]
        argv += ["--default-storage-engine=MyISAM"]
        if user:
            argv += ["--user=nobody"]
        with running(argv, path / "log"):
            yield path


def _ids(user: str) -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid
