"""A server for as long as a verification takes: on this machine, or at a given address."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tidegate.container.backup import scratch
from tidegate.container.backup.mysql import client as logins
from tidegate.container.backup.mysql import programs, restoring
from tidegate.container.backup.mysql.client import Client
from tidegate.errors import NotReady, PolicyRefused, StepFailed
from tidegate.model.connection import Connection
from tidegate.model.readiness import Transient

SETTINGS = ("--no-defaults", "--skip-networking", "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
            "--max-allowed-packet=1G", "--character-set-server=utf8mb4")  # fmt: skip
LONGEST = 60.0  # seconds until it answers
ELSEWHERE = "name another server: --scratch mysql://user:password@host/name"


@contextmanager
def database(
    version: str, url: str, alias: str, environ: Mapping[str, str]
) -> Iterator[tuple[Client, str]]:
    """Give an empty database and its server's version, gone afterwards."""
    if url:
        client, server = logins.opened(logins.from_url(url, alias), environ)
        with _beside(client) as made:
            yield made, server
        return
    with _own_server(version, alias, environ) as (client, server), _beside(client) as made:
        yield made, server


def check(url: str, alias: str, version: str, environ: Mapping[str, str]) -> None:
    """Raise now what a verification would raise after a long dump."""
    if not url:
        _server_programs(version, environ)
        return
    try:
        _, theirs = logins.opened(logins.from_url(url, alias), environ)
    except Transient as error:
        raise NotReady(
            f"the server for the verification does not answer: {error.where}: {error.reason}",
            "It was named with --scratch or TIDEGATE_SCRATCH_URL. No backup was begun.",
            "see whether it runs and can be reached from here, or name another",
        ) from None
    if not programs.reads(theirs, version):
        raise PolicyRefused(
            f"the server for the verification is {theirs}, and the database's is {version}",
            "It may misread what the other wrote. No backup was begun.",
            "name one of the same maker, of that version or newer, with --scratch or "
            "TIDEGATE_SCRATCH_URL",
        )


@contextmanager
def _beside(client: Client) -> Iterator[Client]:
    name = f"tidegate_scratch_{os.getpid()}_{int(time.time())}"
    restoring.create(client.on(""), name, None)
    made = client.on(name)
    try:
        yield made
    finally:
        restoring.drop(made)


@contextmanager
def _own_server(
    version: str, alias: str, environ: Mapping[str, str]
) -> Iterator[tuple[Client, str]]:
    server, install = _server_programs(version, environ)
    account = scratch.unprivileged(("mysql", "nobody"))
    folder = Path(tempfile.mkdtemp(prefix="tidegate-scratch-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        if account:
            os.chown(folder, account["user"], account["group"])
        data, socket = folder / "data", folder / "s"
        with open(folder / "log", "wb") as log:
            made = subprocess.run(
                [install, "--no-defaults", f"--datadir={data}", "--skip-test-db",
                 "--auth-root-authentication-method=normal"],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, **account,
            )  # fmt: skip
            if made.returncode:
                raise _failed(folder)
            process = subprocess.Popen(
                [server, *SETTINGS, f"--datadir={data}", f"--socket={socket}",
                 f"--pid-file={folder / 'pid'}"],
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                **account,
            )  # fmt: skip
        login = Connection(alias, "mariadb", user="root", name="mysql",
                           options={"unix_socket": str(socket)})  # fmt: skip
        yield _answering(login, environ, process, folder)
    finally:
        if process is not None:
            process.kill()  # nothing of it is kept
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _answering(
    login: Connection, environ: Mapping[str, str], process: subprocess.Popen[bytes], folder: Path
) -> tuple[Client, str]:
    here = programs.installed(environ)
    if not here:
        raise programs.refusal("", here)
    until = time.monotonic() + LONGEST
    while True:
        try:
            return logins.chosen(here, login, environ)
        except Transient:
            if process.poll() is not None or time.monotonic() > until:
                raise _failed(folder) from None
        time.sleep(0.1)


def _failed(folder: Path) -> StepFailed:
    said = (folder / "log").read_text("utf-8", "replace").strip().splitlines()
    why = said[-1] if said else ""
    return StepFailed(f"the scratch server did not start: {why}", "", ELSEWHERE)


def _server_programs(version: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return MariaDB's server, and what makes its first tables."""
    path = os.pathsep.join([environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    server = shutil.which("mariadbd", path=path)
    install = shutil.which("mariadb-install-db", path=path)
    if server and install and programs.reads(programs.of_server(server), version):
        return server, install
    raise PolicyRefused(
        f"there is no server here to restore a backup of {version} into",
        "A full verification restores it into a scratch database.",
        "name a server with --scratch mysql://user:password@host/name, or verify --verify quick",
    )
