"""PostgreSQL's archives read back, brought into a database, and compared with the manifest."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tidegate.container.backup import pgfacts, tools
from tidegate.container.backup.archive import CHUNK, Backup, Damaged, drafting
from tidegate.container.backup.pgrun import login, piped
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import StepFailed
from tidegate.model.connection import Connection

MOST_JOBS = 4
COMPLETE = b"-- PostgreSQL database dump complete"


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


def _restorer(
    backup: Backup, environ: Mapping[str, str], near: Connection | None = None
) -> tools.Tools:
    return tools.fitting(environ, str(backup.manifest["tool_major"]), "pg_restore", near)


@contextmanager
def _archive(
    backup: Backup, program: tools.Tools, environ: Mapping[str, str]
) -> Iterator[tuple[list[str], list[str], IO[bytes] | None]]:
    """Give (what unpacks the archive, its name as an argument, what stands at stdin)."""
    unpack = _source(backup, environ)
    if unpack:
        yield unpack, [], None
    elif not program.prefix:
        yield [], [str(backup.data)], None
    elif backup.data.is_dir():
        raise StepFailed(
            f"{backup.data} can't be read by the pg_restore of a container", "",
            f"install postgresql-client-{program.major} on this machine",
        )  # fmt: skip
    else:
        with open(backup.data, "rb") as source:
            yield [], [], source


def read_back(backup: Backup, environ: Mapping[str, str]) -> None:
    """Have pg_restore read the whole archive, and count the rows that it holds."""
    program = _restorer(backup, environ)
    env = {**environ, "LC_ALL": "C"}
    try:
        with _archive(backup, program, environ) as (unpack, named, source):
            restore = program.argv("pg_restore", "--file=-", *named)
            argv = (unpack, restore) if unpack else (restore, [])
            with piped(*argv, env, source=source) as stream:
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


def fill(
    backup: Backup,
    target: Connection,
    environ: Mapping[str, str],
    owners: bool,
    program: tools.Tools | None = None,
) -> None:
    """Restore into an empty database; the first error ends it.

    Several tables at once where the disk has room for the archive unpacked: pg_restore has to
    seek in it then.
    """
    program = program or _restorer(backup, environ, target)
    words = ["--exit-on-error", "--no-password", f"--dbname={target.name}"]
    if not owners:
        words += ["--no-owner", "--no-privileges"]
    env = login(target, environ)
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    packed = bool(_source(backup, environ))
    if program.prefix or jobs < 2 or (packed and not _has_room(backup)):
        with _archive(backup, program, environ) as (unpack, named, source):
            restore = program.argv("pg_restore", *words, *named)
            _drain(unpack or restore, restore if unpack else [], env, source)
        return
    with _unpacked(backup, _source(backup, environ), env) as data:
        _drain(program.argv("pg_restore", *words, f"--jobs={jobs}", str(data)), [], env, None)


def _drain(
    first: list[str], then: list[str], env: Mapping[str, str], source: IO[bytes] | None
) -> None:
    with piped(first, then, env, source=source) as stream:
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
        with os.fdopen(fd, "wb") as out, piped(unpack, [], env) as stream:
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
