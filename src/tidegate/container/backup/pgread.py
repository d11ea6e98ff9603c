"""PostgreSQL's archives read back, brought into a database, and compared with the manifest."""

from __future__ import annotations

import codecs
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
ENCODING = b"SET client_encoding = "
LATINS = {"latin5": "iso8859-9", "latin6": "iso8859-10", "latin7": "iso8859-13",
          "latin8": "iso8859-14", "latin9": "iso8859-15", "latin10": "iso8859-16",
          "sqlascii": "utf-8", "eucjis2004": "eucjis2004", "shiftjis2004": "shiftjis2004",
          "koi8r": "koi8-r", "koi8u": "koi8-u", "euccn": "gb2312", "euctw": "utf-8"}  # fmt: skip
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
    return [packer, "-d", "-q", "-c", *([] if backup.opened else [str(backup.data)])]


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
    if backup.opened:
        with backup.opened() as source:
            yield unpack, [], source
    elif unpack:
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
            f"the backup {backup.shown} can't be read back: {error.what}",
            "pg_restore gives up before the archive's end; it is not used.",
            "use another backup",
        ) from None
    lacking = [
        f"{table}: {rows.get(table, 0)} of {count} rows"
        for table, count in backup.manifest["tables"].items()
        if rows.get(table, 0) != count and not pgfacts.is_view(backup.manifest, table)
    ]
    if lacking or not complete:
        raise Damaged(
            f"the backup {backup.shown} does not hold all that was in the database",
            "\n".join(lacking[:5]) or "The archive ends too early.",
            "make another one",
        )


_COPY = re.compile(rb'COPY ("(?:[^"]|"")+"|[^\s.]+)\.("(?:[^"]|"")+"|[^\s(]+) .*FROM stdin;$')


def _count_rows(stream: IO[bytes]) -> tuple[dict[str, int], bool]:
    """Read a script; return the rows of each COPY, and whether the end was there."""
    rows: dict[str, int] = {}
    table, count, complete, coding = "", 0, False, "utf-8"
    for line in stream:
        if table:
            if line == b"\\.\n":
                rows[table] = rows.get(table, 0) + count
                table = ""
            else:
                count += 1
        elif line.startswith(b"COPY ") and (found := _COPY.match(line)):
            table, count = f"{_plain(found[1], coding)}.{_plain(found[2], coding)}", 0
        elif line.startswith(ENCODING):
            coding = codec(line[len(ENCODING) :].decode("ascii", "replace").split("'")[1])
        elif line.startswith(COMPLETE):
            complete = True
    return rows, complete and not table


def codec(name: str) -> str:
    """Return Python's name of an encoding of PostgreSQL's."""
    known = name.lower().replace("win", "cp").replace("_", "")
    for one in (LATINS.get(known, known), "utf-8"):
        try:
            return codecs.lookup(one).name
        except LookupError:
            continue
    raise AssertionError(name)


def _plain(name: bytes, coding: str) -> str:
    text = name.decode(coding, "replace")
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
    if not owners:  # of a copy elsewhere, a subscription would take what is the original's
        words += ["--no-owner", "--no-privileges", "--no-subscriptions"]
    env = login(target, environ)
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    packed = bool(_source(backup, environ))
    if program.prefix or jobs < 2 or backup.opened or (packed and not _has_room(backup)):
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
        form = int(backup.manifest.get("schema_form", 1))
        found = {**pgfacts.begin(session.query), **pgfacts.gather(session.query, form)}
    finally:
        session.close()
    same = version.split(".")[0] == str(backup.manifest["server"]).split(".")[0]
    return pgfacts.differences(backup.manifest, found, same)
