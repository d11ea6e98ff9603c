"""Run tidegate as real processes against real databases."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from support.postgres import PASSWORD, Server

APP = ("echo", "app started")


@dataclass
class Database:
    """One fresh database; ``server`` is None for SQLite."""

    url: str
    name: str
    server: Server | None = None

    @property
    def vendor(self) -> str:
        return "postgresql" if self.server else "sqlite"

    @property
    def environ(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url}

    @property
    def parts(self) -> dict[str, str]:
        """The same database as POSTGRES_* variables."""
        url = urlsplit(self.url)
        return {
            "POSTGRES_HOST": url.hostname or "",
            "POSTGRES_PORT": str(url.port),
            "POSTGRES_USER": url.username or "",
            "POSTGRES_PASSWORD": url.password or "",
            "POSTGRES_DB": self.name,
        }

    def rows(self, sql: str) -> list[str]:
        """The rows, columns joined by '|'."""
        if self.server:
            return self.server.sql(sql, self.name).splitlines()
        file = sqlite3.connect(self.name)
        try:
            return ["|".join(map(str, row)) for row in file.execute(sql)]
        finally:
            file.close()

    def tables(self) -> list[str]:
        """The user's tables: not the ledger's, not the framework's own."""
        sql = (
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            if self.server
            else "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
        )
        own = ("tidegate_", "django_migrations", "alembic_version", "sqlite_")
        return [name for name in self.rows(sql) if not name.startswith(own)]

    def runs(self) -> list[str]:
        """The state of each run in the ledger, oldest first."""
        try:
            return self.rows("SELECT state FROM tidegate_run ORDER BY started, state")
        except (RuntimeError, sqlite3.OperationalError):
            return []


@dataclass
class Ended:
    """How a tidegate process ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        return (
            f"exit {self.code} after {self.seconds:.1f} s\n--- out\n{self.out}--- err\n{self.err}"
        )


@dataclass
class Started:
    """A tidegate process that runs; its output goes to files, so it never blocks."""

    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]
    began: float = field(default_factory=time.monotonic)
    secrets: Sequence[str] = ()

    @property
    def pid(self) -> int:
        return self.process.pid

    def errors(self) -> str:
        return Path(self.err.name).read_text("utf-8", "replace")

    def until(self, text: str, timeout: float = 30) -> str:
        """Wait until it has said ``text`` on stderr."""
        deadline = time.monotonic() + timeout
        while text not in self.errors():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                raise AssertionError(f"never said {text!r} (exit {ended}):\n{self.errors()}")
            time.sleep(0.02)
        return self.errors()

    def signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, timeout: float = 60) -> Ended:
        """Wait for the end; no output of any run may hold a password."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still ran after {timeout} s:\n{self.errors()}") from None
        seconds = time.monotonic() - self.began
        out = Path(self.out.name).read_text("utf-8", "replace")
        ended = Ended(code, out, self.errors(), seconds)
        for secret in self.secrets:
            assert secret not in out + ended.err, f"a secret got out:\n{ended.said}"
        assert "Traceback (most recent call last)" not in ended.err, ended.said
        return ended

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)


class Runner:
    """``runner("boot", …)`` runs to the end, ``runner.start`` doesn't wait."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[Started] = []

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """A clean environment: what every container has, and what the test adds."""
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.directory), "LANG": "C.UTF-8", **(more or {})}

    def start(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str],
        exact_env: bool = False,
        stdin: bytes | None = None,
        python: Sequence[str] = (),
        secrets: Sequence[str] = (PASSWORD,),
    ) -> Started:
        out = tempfile.NamedTemporaryFile(dir=self.directory, suffix=".out", delete=False)  # noqa: SIM115
        err = tempfile.NamedTemporaryFile(dir=self.directory, suffix=".err", delete=False)  # noqa: SIM115
        source: IO[bytes] | int = subprocess.DEVNULL
        if stdin is not None:
            source = tempfile.TemporaryFile(dir=self.directory)  # noqa: SIM115
            source.write(stdin)
            source.seek(0)
        process = subprocess.Popen(
            [sys.executable, *python, "-m", "tidegate", *arguments],
            cwd=cwd,
            env=dict(env) if exact_env else self.environ(env),
            stdin=source,
            stdout=out,
            stderr=err,
            start_new_session=True,  # whoever runs the tests is not above what they start
        )
        one = Started(process, out, err, secrets=secrets)
        self.started.append(one)
        return one

    def __call__(self, *arguments: str, timeout: float = 60, **more: object) -> Ended:
        return self.start(*arguments, **more).end(timeout)  # type: ignore[arg-type]

    def close(self) -> None:
        for one in self.started:
            one.kill()
            one.out.close()
            one.err.close()


def eventually(true: Callable[[], object], timeout: float = 15, what: str = "it") -> None:
    """Wait until ``true()``; the longer it takes, the less often it is asked."""
    deadline = time.monotonic() + timeout
    pause = 0.02
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def clean_signals() -> dict[str, str]:
    """The signal masks of a process that was started without tidegate."""
    done = subprocess.run(
        ["grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status"], capture_output=True, text=True,
        env={"PATH": os.environ["PATH"]}, check=True,
    )  # fmt: skip
    return dict(line.split(":\t") for line in done.stdout.splitlines())
