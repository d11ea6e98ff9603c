"""Run PostgreSQL's programs: with the database's login, through a pipe, and their errors said."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from tidegate.container.backup.waitsaid import NAME
from tidegate.container.report import masked
from tidegate.errors import StepFailed
from tidegate.model.connection import Connection

PIPE = 1 << 20  # bytes, the most that Linux gives without being asked by root
PROGRAMS = ("pg_dump", "pg_restore", "mariadb-dump", "mysqldump")
LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
         "sslkey": "PGSSLKEY", "sslcrl": "PGSSLCRL", "service": "PGSERVICE",
         "passfile": "PGPASSFILE", "channel_binding": "PGCHANNELBINDING",
         "gssencmode": "PGGSSENCMODE", "target_session_attrs": "PGTARGETSESSIONATTRS"}  # fmt: skip
_PASSWORD = re.compile(r"(\bpassword\s*=?\s*)'(?:[^']|'')*'", re.I)  # of a user mapping


def login(connection: Connection, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which libpq's programs reach this database."""
    fields = {
        "PGHOST": connection.host,
        "PGPORT": connection.port,
        "PGUSER": connection.user,
        "PGPASSWORD": connection.password.reveal(),
        "PGDATABASE": connection.name,
        "PGAPPNAME": NAME,
        "LC_ALL": "C",
    }
    for key, name in LIBPQ.items():
        if connection.options.get(key):
            fields[name] = str(connection.options[key])
    return {**environ, **{name: value for name, value in fields.items() if value}}


@contextmanager
def piped(
    first: list[str],
    then: list[str],
    env: Mapping[str, str],
    *,
    source: IO[bytes] | None = None,
    on_start: Callable[[int], None] = lambda pid: None,
) -> Iterator[IO[bytes]]:
    """Give the output of `first`, or of `then` behind it; raise when either fails.

    `source` is what `first` reads; `on_start` gets its process id.
    """
    with tempfile.TemporaryFile() as said:
        started = [_start(first, env, source, said)]
        on_start(started[0].pid)
        if then:
            started.append(_start(then, env, started[0].stdout, said))
            assert started[0].stdout
            started[0].stdout.close()  # the second one has it: it must end when that one does
        try:
            stream = started[-1].stdout
            assert stream
            yield stream
            codes = [one.wait() for one in started]
        except BaseException:
            for one in started:
                one.kill()
                one.wait()
            raise
        finally:
            if started[-1].stdout:
                started[-1].stdout.close()
        if any(codes):
            said.seek(0)
            text = said.read().decode("utf-8", "replace").strip()
            raise failure(program_of(first), text, env)


def _start(
    argv: list[str], env: Mapping[str, str], source: IO[bytes] | None, said: IO[bytes]
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        argv, env=dict(env), stdin=source or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
    )
    assert process.stdout
    _widen(process.stdout.fileno())
    return process


def _widen(pipe: int) -> None:
    """Give a pipe more room: half as many switches between the programs at its ends (Linux)."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)
    except (ImportError, AttributeError, OSError):
        pass  # another system, or this user has too many wide pipes


def program_of(argv: list[str]) -> str:
    """Return the name of the program, also behind `docker exec … CONTAINER`."""
    known = [word for word in argv if os.path.basename(word) in PROGRAMS]
    return os.path.basename((known or argv)[0])


def failure(program: str, text: str, env: Mapping[str, str]) -> StepFailed:
    """Return the error of a program, with what it said last."""
    secrets = tuple(env[name] for name in ("PGPASSWORD", "MYSQL_PWD") if env.get(name))
    said = _PASSWORD.sub(r"\1'***'", masked(text, secrets)).splitlines()
    # pg_restore says what went wrong first, and what it was doing after that.
    first = next(
        (at for at, line in enumerate(said) if "error:" in line or "ERROR " in line),
        max(0, len(said) - 3),
    )
    lines = said[first : first + 3]
    return StepFailed(
        f"{program} failed: {lines[0] if lines else 'it was ended from outside'}",
        "\n".join(lines[1:]),
        "see what it says; nothing was kept of this attempt",
    )
