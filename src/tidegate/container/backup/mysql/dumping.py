"""A MySQL or MariaDB database by its maker's own dump: one transaction, counted as it goes by.

The dump can't be given a snapshot of another session's, so the rows are counted in what it writes
and not in the database: in the same moment by construction.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import IO, Any, cast

from tidegate.container.backup import tools
from tidegate.container.backup.archive import CHUNK, Backup, Damaged, Draft, Sink
from tidegate.container.backup.feeding import fed
from tidegate.container.backup.filters import filtered
from tidegate.container.backup.mysql import VENDOR, facts
from tidegate.container.backup.mysql.client import BIGGEST, Client, Failed
from tidegate.container.backup.pgrun import piped
from tidegate.container.backup.progress import Progress
from tidegate.errors import StepFailed

WORDS = ("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob",
         "--no-tablespaces", "--add-drop-trigger", BIGGEST)  # fmt: skip
_NAME = rb"`((?:[^`]|``)+)`"
_INSERT = re.compile(rb"INSERT (?:IGNORE )?INTO " + _NAME + rb".*? VALUES")
_CREATE = re.compile(rb"CREATE TABLE " + _NAME + rb" \(")
_STRING = re.compile(rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.DOTALL)


@dataclass(slots=True)
class Counter:
    """Counts the rows of each table in the lines of a dump.

    MariaDB writes a row a line, MySQL many; a line break within a value is written as two signs.
    Between two DELIMITER stands what a user wrote: triggers and routines, which may insert, too.
    """

    rows: dict[str, int] = field(default_factory=dict)
    complete: bool = False
    _table: str = ""
    _code: bool = False

    def __call__(self, line: bytes) -> None:
        """Take a line in."""
        if line.startswith(b"DELIMITER "):
            self._code = line.strip() != b"DELIMITER ;"
        elif self._code:
            return
        elif self._table:
            self.rows[self._table] += 1 if line[:1] == b"(" else _tuples(line)
        elif found := _INSERT.match(line):
            self._table = _plain(found[1])
            rest = line[found.end() :]
            self.rows[self._table] = self.rows.get(self._table, 0) + _tuples(rest)
        elif found := _CREATE.match(line):
            self.rows.setdefault(_plain(found[1]), 0)
        elif line.startswith(b"-- Dump completed"):
            self.complete = True
        if line.endswith(b";\n"):
            self._table = ""


def _tuples(text: bytes) -> int:
    return _STRING.sub(b"", text).count(b"(") if text.strip() else 0


def _plain(name: bytes) -> str:
    return name.decode("utf-8", "replace").replace("``", "`")


def dump(client: Client, server: str, draft: Draft, tell: Progress) -> dict[str, Any]:
    """Write the dump into the draft; return what the manifest says of it."""
    before = facts.shape(client)
    filled = facts.filled(client, facts.tables(client))
    tell.raw_ratio = 1.0
    counter = Counter()
    about = {"vendor": VENDOR, "server": server, "tool": client.programs.shown, "jobs": 1}
    draft.known |= about
    packer = tools.zstd(client.environ)
    name = "data.sql.zst" if packer else "data.sql.gz"
    argv = client.dump_argv(*WORDS, client.connection.name)
    try:
        with (
            piped(argv, [], client.env) as stream,
            packed(draft, name, packer, tell, client.environ) as out,
        ):
            size = _pass(stream, out, counter, tell)
    except StepFailed as error:
        raise _advised(error) from None
    after = facts.shape(client)
    if after["schema"] != before["schema"]:
        raise StepFailed(
            "the schema was changed while it was dumped",
            "What was dumped may be of neither. Nothing was kept of this backup.",
            "start again when no migration runs",
        )
    _refuse_lacking(client, counter, filled)
    return {**about, "dump_bytes": size, **before, "tables": dict(sorted(counter.rows.items()))}


def _advised(error: StepFailed) -> StepFailed:
    if "insufficient privileges" not in error.what:
        return error
    advice = (
        "back up as the account that made it, or let this one see it: "
        "GRANT SELECT ON mysql.proc TO … (MariaDB), GRANT SHOW_ROUTINE ON *.* TO … (MySQL)"
    )
    return StepFailed(error.what, "Nothing was kept of this attempt.", advice)


def _pass(stream: IO[bytes], out: Sink, counter: Counter, tell: Progress) -> int:
    size = 0
    for line in stream:
        counter(line)
        out.write(line)
        size += len(line)
        tell.seen = size
    return size


def _refuse_lacking(client: Client, counter: Counter, filled: set[str]) -> None:
    """Refuse a dump that leaves tables out: an option file of the machine's may say so."""
    lacking = [name for name in facts.tables(client) if name not in counter.rows]
    lacking += facts.filled(client, [one for one in filled if counter.rows.get(one) == 0])
    if lacking or not counter.complete:
        raise Damaged(
            "the dump does not hold all that is in the database",
            "\n".join(f"{name}: has rows, and none is in it" for name in lacking[:5])
            or "It ends too early.",
            f"see the options of {client.programs.dump[-1]} in this machine's my.cnf",
        )


@contextmanager
def packed(
    draft: Draft, name: str, packer: str, tell: Progress, environ: Mapping[str, str]
) -> Iterator[Sink]:
    """Give what packs into a file of the draft."""
    with draft.file(name, tell) as out:
        if packer:
            with filtered([packer, "-1", "-T0", "-q", "-c"], out, environ) as door:
                yield door
        else:
            with gzip.GzipFile("", "wb", 1, cast(IO[bytes], out), 0) as zipped:
                yield zipped


@contextmanager
def plain(backup: Backup, environ: Mapping[str, str]) -> Iterator[IO[bytes]]:
    """Give the text of a dump, as a pipe that a program can read, too."""
    opened = backup.opened() if backup.opened else open(backup.data, "rb")  # noqa: SIM115
    with opened as source:
        if backup.data.suffix == ".gz":
            with fed(lambda out: _unzip(source, out)) as unzipped:
                yield unzipped
            return
        packer = tools.zstd(environ)
        if not packer:
            raise StepFailed(f"{backup.data.name} is packed with zstd, and there is no zstd here",
                             "", "install zstd")  # fmt: skip
        with piped([packer, "-d", "-q", "-c"], [], environ, source=source) as stream:
            yield stream


def _unzip(source: IO[bytes], out: Sink) -> None:
    with gzip.GzipFile(fileobj=source, mode="rb") as unzipped:
        while chunk := unzipped.read(CHUNK):
            out.write(chunk)


def read_back(backup: Backup, environ: Mapping[str, str]) -> None:
    """Read the whole dump, and count the rows in it."""
    counter = Counter()
    try:
        with plain(backup, environ) as stream:
            for line in stream:
                counter(line)
    except (StepFailed, OSError, EOFError, zlib.error) as error:
        raise Damaged(
            f"the backup {backup.shown} can't be read back: {error}",
            "It ends or breaks before its end; it is not used.", "use another backup",
        ) from None  # fmt: skip
    wanted = backup.manifest["tables"]
    lacking = [f"{name}: {counter.rows.get(name, 0)} of {count} rows"
               for name, count in wanted.items() if counter.rows.get(name) != count]  # fmt: skip
    if lacking or not counter.complete:
        raise Damaged(
            f"the backup {backup.shown} does not hold all that was in the database",
            "\n".join(lacking[:5]) or "The dump ends too early.",
            "make another one",
        )


def level_of(client: Client, recorded: str) -> dict[str, Any]:
    """Return the framework's rows, and their digest, for the manifest."""
    rows = sorted(tuple(each or "" for each in row) for row in _recorded(client, recorded))
    text = ",".join(".".join(row) for row in rows)
    return {"level": [".".join(row) for row in rows],
            "level_digest": f"{len(rows)}:{sha256(text.encode()).hexdigest()[:16]}"}  # fmt: skip


def _recorded(client: Client, sql: str) -> list[tuple[str | None, ...]]:
    try:
        return list(client.query(sql.replace('"', "`")))
    except Failed as error:
        if error.code == 1146:  # no such table: nothing was applied yet
            return []
        raise
