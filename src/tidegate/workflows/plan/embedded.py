"""The embedded PostgreSQL: a server of its own for one rehearsal, gone afterwards.

It is made and started beside the loading of the project, which takes as long.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.databases import pgwire
from tidegate.errors import RefusedForGood
from tidegate.workflows.demo.server import ordinary_account
from tidegate.workflows.plan.programs import Programs, reachable
from tidegate.workflows.plan.runner import aside
from tidegate.workflows.plan.scratch import SETTINGS, USER, Server


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started, and all that it has."""

    server: Server
    child: subprocess.Popen[bytes]
    folder: Path

    def end(self) -> None:
        """Stop it, and remove its folder."""
        _stop(self.child)
        shutil.rmtree(self.folder, ignore_errors=True)


_begun: dict[str, Future[Running]] = {}


@contextmanager
def begun(programs: Programs) -> Iterator[None]:
    """Start a server of this version beside what happens meanwhile; end it where nobody took it."""
    _begun[programs.version] = aside(lambda: _launch(programs))
    try:
        yield
    finally:
        early = _taken(programs)
        if early is not None:
            early.end()


@contextmanager
def embedded(programs: Programs) -> Iterator[Server]:
    """Start a server, or take the one that was begun; end it afterwards."""
    running = _taken(programs) or _launch(programs)
    try:
        yield running.server
    finally:
        running.end()


def _taken(programs: Programs) -> Running | None:
    """Return the server that was begun; None where none was, or it failed."""
    early = _begun.pop(programs.version, None)
    if early is None:
        return None
    with suppress(OSError, RefusedForGood):  # whoever wants it meets the error again, and says it
        return early.result()
    return None


def _launch(programs: Programs) -> Running:
    """Make a cluster in a temporary folder, and start a server on it."""
    account = ordinary_account()
    folder = Path(tempfile.mkdtemp(prefix="tidegate-plan-"))
    child: subprocess.Popen[bytes] | None = None
    try:
        if account:
            folder.chmod(0o711)
        usable = reachable(programs, account, folder)
        data = folder / "data"
        _cluster(usable, data, account)
        password = secrets.token_hex(12)
        port = _free_port()
        child = _start(usable, data, port, folder / "log", account)
        server = Server(usable, "127.0.0.1", str(port), USER, password, programs.version, True)
        _until_ready(server, child, folder / "log", data)
        return Running(server, child, folder)
    except BaseException:
        if child is not None:
            _stop(child)
        shutil.rmtree(folder, ignore_errors=True)
        raise


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
