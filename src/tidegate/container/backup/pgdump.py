"""PostgreSQL by its own programs: pg_dump in one snapshot, pg_restore to read back or to fill.

The archive is pg_dump's custom format; with zstd on the machine it is written uncompressed and
goes through `zstd -1`, which is some three times as fast as pg_dump's own gzip and smaller.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tidegate.container.backup import pgfacts, tools
from tidegate.container.backup.archive import CHUNK, Backup, Damaged, Draft, drafting
from tidegate.container.report import masked
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import StepFailed
from tidegate.model.connection import Connection

LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
         "sslkey": "PGSSLKEY", "sslcrl": "PGSSLCRL", "service": "PGSERVICE",
         "passfile": "PGPASSFILE", "channel_binding": "PGCHANNELBINDING",
         "gssencmode": "PGGSSENCMODE", "target_session_attrs": "PGTARGETSESSIONATTRS"}  # fmt: skip
LOCK_WAIT = 60  # seconds for which a table may be locked by somebody else
MOST_JOBS = 4
COMPLETE = b"-- PostgreSQL database dump complete"


def login(connection: Connection, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which libpq's programs reach this database."""
    fields = {
        "PGHOST": connection.host,
        "PGPORT": connection.port,
        "PGUSER": connection.user,
        "PGPASSWORD": connection.password.reveal(),
        "PGDATABASE": connection.name,
        "PGAPPNAME": "tidegate backup",
        "LC_ALL": "C",
    }
    for key, name in LIBPQ.items():
        if connection.options.get(key):
            fields[name] = str(connection.options[key])
    return {**environ, **{name: value for name, value in fields.items() if value}}


def dump(
    database: PostgreSQL,
    draft: Draft,
    environ: Mapping[str, str],
    tell: Callable[[int], None],
) -> dict[str, Any]:
    """Write the dump of one snapshot, count in the same snapshot, and return the manifest."""
    session = database.session(10.0)
    try:
        version = str(session.query("SHOW server_version")[0][0])
        program = tools.fitting(environ, version)
        session.query("SET statement_timeout = 0")
        session.query(f"SET lock_timeout = '{LOCK_WAIT}s'")
        session.query("SET idle_in_transaction_session_timeout = 0")
        session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ((snapshot, xid),) = session.query(
            "SELECT pg_export_snapshot(), pg_snapshot_xmax(pg_current_snapshot())::text"
        )
        facts: dict[str, Any] = {}
        failed: list[Exception] = []

        def count() -> None:
            try:
                facts.update(pgfacts.gather(session.query))
            except Exception as error:  # raised in the caller's thread below
                failed.append(error)

        counting = threading.Thread(target=count, daemon=True)
        packer = tools.zstd(environ)
        argv = [program.path("pg_dump"), "--format=custom", "--no-password",
                f"--compress={0 if packer else 1}", f"--snapshot={snapshot}",
                f"--lock-wait-timeout={LOCK_WAIT}s"]  # fmt: skip
        name = "data.dump.zst" if packer else "data.dump"
        counting.start()
        with draft.file(name, tell) as out:
            env = login(database.connection, environ)
            with _piped(argv, [packer, "-1", "-T0", "-q", "-c"] if packer else [], env) as stream:
                while chunk := stream.read(CHUNK):
                    out.write(chunk)
        counting.join()
        if failed:
            raise StepFailed(
                f"the rows could not be counted: {failed[0]}",
                "Nothing was kept of this backup, and nothing was changed.",
                "start again; pg_stat_activity shows who holds a table's lock",
            ) from failed[0]
    finally:
        session.close()
    return {
        "vendor": "postgresql",
        "server": version,
        "tool": f"pg_dump {program.shown}",
        "tool_major": program.major,
        "xid": xid,
        **facts,
    }


@contextmanager
def _piped(first: list[str], then: list[str], env: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """Give the output of `first`, or of `then` behind it; raise when either fails."""
    with tempfile.TemporaryFile() as said:
        started = [_start(first, env, None, said)]
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
            raise failure(os.path.basename(first[0]), text, env)


def _start(
    argv: list[str], env: Mapping[str, str], source: IO[bytes] | None, said: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, env=dict(env), stdin=source or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
    )


def failure(program: str, text: str, env: Mapping[str, str]) -> StepFailed:
    """Return the error of a program, with what it said last."""
    secret = env.get("PGPASSWORD", "")
    lines = masked(text, (secret,) if secret else ()).splitlines()[-3:]
    return StepFailed(
        f"{program} failed: {lines[0] if lines else 'it was ended from outside'}",
        "\n".join(lines[1:]),
        "see what it says; nothing was kept of this attempt",
    )


def _source(backup: Backup, environ: Mapping[str, str]) -> list[str]:
    """Return the command that unpacks the archive, or nothing where none is needed."""
    if backup.data.suffix != ".zst":
        return []
    packer = tools.zstd(environ)
    if not packer:
        raise StepFailed(
            f"{backup.data.name} is packed with zstd, and there is no zstd here", "",
            "install zstd",
        )  # fmt: skip
    return [packer, "-d", "-q", "-c", str(backup.data)]


def _restorer(backup: Backup, environ: Mapping[str, str]) -> tools.Tools:
    return tools.fitting(environ, str(backup.manifest["tool_major"]), "pg_restore")


def read_back(backup: Backup, environ: Mapping[str, str]) -> None:
    """Have pg_restore read the whole archive, and count the rows that it holds."""
    program = _restorer(backup, environ)
    unpack = _source(backup, environ)
    restore = [program.path("pg_restore"), "--file=-"]
    argv = (unpack, restore) if unpack else ([*restore, str(backup.data)], [])
    env = {**environ, "LC_ALL": "C"}
    try:
        with _piped(*argv, env) as stream:
            rows, complete = _count_rows(stream)
    except StepFailed as error:
        raise Damaged(
            f"the backup {backup.path} can't be read back: {error.what}",
            "pg_restore gives up before the archive's end; it is not used.",
            "use another backup",
        ) from None
    lacking = [
        f"{table}: {rows.get(table, 0)} of {count} rows"
        for table, count in backup.manifest["tables"].items()
        if rows.get(table, 0) != count and not _is_view(backup, table)
    ]
    if lacking or not complete:
        raise Damaged(
            f"the backup {backup.path} does not hold all that was in the database",
            "\n".join(lacking[:5]) or "The archive ends too early.",
            "make another one",
        )


def _is_view(backup: Backup, table: str) -> bool:
    """A materialized view is filled when it is restored; the archive has no rows of it."""
    space, _, name = table.partition(".")
    known = backup.manifest["schema"]
    return any(f"view {a}.{b}" in known for a in (space, f'"{space}"') for b in (name, f'"{name}"'))


_COPY = re.compile(rb'COPY ("(?:[^"]|"")+"|[^\s.]+)\.("(?:[^"]|"")+"|[^\s(]+)')


def _count_rows(stream: IO[bytes]) -> tuple[dict[str, int], bool]:
    """Read a script; return the rows of each COPY, and whether the end was there."""
    rows: dict[str, int] = {}
    table, count, complete = "", 0, False
    for line in stream:
        if table:
            if line == b"\\.\n":
                rows[table] = rows.get(table, 0) + count
                table = ""
            else:
                count += 1
        elif line.startswith(b"COPY ") and (found := _COPY.match(line)):
            table, count = f"{_plain(found[1])}.{_plain(found[2])}", 0
        elif line.startswith(COMPLETE):
            complete = True
    return rows, complete and not table


def _plain(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def fill(backup: Backup, target: Connection, environ: Mapping[str, str], owners: bool) -> None:
    """Restore into an empty database; the first error ends it.

    Several tables at once where the disk has room for the archive unpacked: pg_restore has to
    seek in it then.
    """
    program = _restorer(backup, environ)
    restore = [program.path("pg_restore"), "--exit-on-error", "--no-password",
               f"--dbname={target.name}"]  # fmt: skip
    if not owners:
        restore += ["--no-owner", "--no-privileges"]
    env = login(target, environ)
    unpack = _source(backup, environ)
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    if jobs < 2 or (unpack and not _has_room(backup)):
        _drain(unpack or [*restore, str(backup.data)], restore if unpack else [], env)
        return
    with _unpacked(backup, unpack, env) as data:
        _drain([*restore, f"--jobs={jobs}", str(data)], [], env)


def _drain(first: list[str], then: list[str], env: Mapping[str, str]) -> None:
    with _piped(first, then, env) as stream:
        stream.read()


def _has_room(backup: Backup) -> bool:
    needed = 2 * int(backup.manifest.get("source_bytes") or backup.bytes * 10) + (64 << 20)
    return shutil.disk_usage(backup.path.parent).free > needed


@contextmanager
def _unpacked(backup: Backup, unpack: list[str], env: Mapping[str, str]) -> Iterator[Path]:
    """Give the archive as a file that can be seeked in; it is gone afterwards."""
    if not unpack:
        yield backup.data
        return
    with drafting(backup.path.parent) as draft:
        path = draft.folder / "data.dump"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as out, _piped(unpack, [], env) as stream:
            while chunk := stream.read(CHUNK):
                out.write(chunk)
        yield path


def compare(backup: Backup, target: PostgreSQL) -> list[str]:
    """Say in what the restored database differs from the manifest."""
    session = target.session(10.0)
    try:
        version = str(session.query("SHOW server_version")[0][0])
        found = pgfacts.gather(session.query)
    finally:
        session.close()
    same = version.split(".")[0] == str(backup.manifest["server"]).split(".")[0]
    return pgfacts.differences(backup.manifest, found, same)
