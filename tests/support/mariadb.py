"""A real MariaDB for the tests: Debian's, on a socket of its own."""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

_numbers = itertools.count(1)


def missing() -> str:
    """Say that the program is not there, or nothing."""
    return "" if _program() else "mariadbd is not installed"


def _program() -> str:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    return shutil.which("mariadbd", path=path) or ""


class MariaDB:
    """One server without networking; `close` ends it.

    It has no accounts and no tables of its own, but `whole`: then it has both, and routines.
    """

    def __init__(self, whole: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="maria-", dir="/tmp"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        account = _account()
        if account:
            os.chown(self.folder, account["user"], account["group"])
        self.socket = str(self.folder / "s")
        data = f"--datadir={self.folder}"
        if whole:
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", data, "--skip-test-db",
                 "--auth-root-authentication-method=normal"],
                check=True, capture_output=True, cwd="/", **account,
            )  # fmt: skip
        grants = () if whole else ("--skip-grant-tables",)
        self.process = subprocess.Popen(
            [_program(), "--no-defaults", data, f"--socket={self.socket}",
             "--skip-networking", *grants, "--innodb-flush-log-at-trx-commit=0",
             f"--pid-file={self.folder / 'pid'}", "--character-set-server=utf8mb4"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **account,
        )  # fmt: skip
        self._until_ready()

    def _until_ready(self) -> None:
        import pymysql

        deadline = time.monotonic() + 60
        while True:
            try:
                return self.connect("").close()
            except pymysql.err.OperationalError:
                ended = self.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def connect(self, name: str) -> Any:
        """Open a session on a database."""
        import pymysql

        return pymysql.connect(unix_socket=self.socket, user="root", database=name or None,
                               autocommit=True)  # fmt: skip

    def sql(self, text: str, name: str = "") -> list[tuple[Any, ...]]:
        """Run a statement; return its rows."""
        session = self.connect(name)
        try:
            with session.cursor() as cursor:
                cursor.execute(text)
                return list(cursor.fetchall())
        finally:
            session.close()

    def database(self) -> str:
        """Return the name of a new, empty database."""
        name = f"example_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def url(self, name: str, login: str = "root") -> str:
        """Return the database as SQLAlchemy takes it."""
        return f"mysql+pymysql://{login}@localhost/{name}?unix_socket={self.socket}"

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def _account() -> dict[str, Any]:
    """MariaDB refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("mysql", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    return {}
