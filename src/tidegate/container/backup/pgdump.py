"""PostgreSQL by its own pg_dump, in one snapshot in which the rows are counted too.

With one job the archive is pg_dump's custom format, with several the directory format, which
several processes write. zstd packs it, some three times as fast as gzip and smaller: pg_dump's own
where it was built with it, else the program, through which one job's archive goes uncompressed.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tidegate.container.backup import pgfacts, tools
from tidegate.container.backup.archive import CHUNK, DATA, Draft
from tidegate.container.backup.pgrun import login, piped
from tidegate.container.backup.progress import Progress
from tidegate.container.backup.waitsaid import LOCK_WAIT, NAME, waits_said
from tidegate.contracts.database import Session
from tidegate.databases import pgidentity
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import PolicyRefused, RefusedForGood, StepFailed, TidegateError
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

LOOK_EVERY = 0.5  # seconds between two looks at what several jobs have written
SEEN = ("xid", "xmin", "open", "oid", "cluster", "created")  # what the manifest keeps of a snapshot
NEEDS = ("encoding", "roles")  # what a server needs for it to be restored there
NOTHING = 1 << 20  # bytes free when a disk is as good as full
GZIP, ZSTD = "1", "zstd:1"  # what --compress takes
HAS_ZSTD = 16  # the major version whose pg_dump can pack with it, if it was built so
END_OURS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    f"AND application_name = '{NAME}' AND pid <> pg_backend_pid()"
)


def dump(
    database: PostgreSQL, draft: Draft, environ: Mapping[str, str], tell: Progress, jobs: int = 1
) -> dict[str, Any]:
    """Write the dump of one snapshot, count in the same snapshot, and return the manifest."""
    with snapshot(database) as held:
        program = tools.fitting(environ, held.server, near=database.connection)
        jobs = 1 if program.prefix else jobs  # a folder in a container is not here
        with waits_said(database, tell.report), held.counting() as facts:
            needs = {key: facts[key] for key in NEEDS}
            draft.known |= {**about(program, held.server, jobs, 0), **needs}
            try:
                raw = write(program, held.name, database.connection, draft, environ, tell, jobs)
            except BaseException:
                if program.prefix:
                    _end_ours(database)
                raise
    return {**about(program, held.server, jobs, raw), **held.seen, **facts}


def write(
    program: tools.Tools, snapshot: str, connection: Connection, draft: Draft,
    environ: Mapping[str, str], tell: Progress, jobs: int = 1,
) -> int:  # fmt: skip
    """Have pg_dump write a snapshot; return how much it wrote, 0 where that can't be seen."""
    words = ["--no-password", f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_WAIT}s"]
    env = login(connection, environ)
    if jobs > 1:
        return _folder(program, words, env, draft, tell, jobs)
    return _stream(program, words, env, draft, tell)


def about(program: tools.Tools, server: str, jobs: int, raw: int) -> dict[str, Any]:
    """Return what the manifest says of a dump."""
    return {
        "vendor": "postgresql",
        "server": server,
        "tool": f"pg_dump {program.shown}",
        "tool_major": program.major,
        "jobs": jobs,
        "dump_bytes": raw,
    }


def _end_ours(database: PostgreSQL) -> None:
    """End what runs on in a container after its `docker exec` here was ended."""
    try:
        session = database.session(10.0)
        session.query(END_OURS)
        session.close()
    except (Transient, Permanent):
        pass  # what made the dump fail is told by the caller


@dataclass(slots=True)
class Snapshot:
    """A transaction that is held open, in whose snapshot everything is read."""

    session: Session
    server: str
    name: str
    seen: Mapping[str, Any]
    """Which database it is (a restore puts another one in its place), which transactions it sees
    (those before `xid`, but for the `open` ones), and when that was by the server's clock."""

    @contextmanager
    def counting(self) -> Iterator[dict[str, Any]]:
        """Count in a thread while the caller dumps; what was counted is in the dict at the end.

        The sequences are read first: pg_dump may read them later than we, and never before.
        """
        try:
            facts = pgfacts.begin(self.session.query)
        except (Transient, Permanent) as error:
            raise _uncounted(error) from error
        failed: list[Exception] = []

        def count() -> None:
            try:
                facts.update(pgfacts.gather(self.session.query))
            except Exception as error:  # raised in the caller's thread below
                failed.append(error)

        counting = threading.Thread(target=count, daemon=True)
        counting.start()
        try:
            yield facts
            counting.join()
        except StepFailed:
            if not failed:
                raise
        if failed:  # its end ends the snapshot, too: pg_dump then fails of that
            raise _uncounted(failed[0]) from failed[0]


def _uncounted(error: Exception) -> TidegateError:
    nothing = "Nothing was kept of this backup, and nothing was changed."
    if isinstance(error, Permanent):
        meaning = " ".join(one for one in (error.meaning, nothing) if one)
        return RefusedForGood(f"the rows could not be counted: {error.what}", meaning, error.next)
    return StepFailed(
        f"the rows could not be counted: {error}", nothing,
        "start again; pg_stat_activity shows who holds a table's lock",
    )  # fmt: skip


@contextmanager
def snapshot(database: PostgreSQL) -> Iterator[Snapshot]:
    """Hold a snapshot that pg_dump can be given."""
    session = database.wire(10.0, f"{NAME}, counting")
    try:
        version = str(session.query("SHOW server_version")[0][0])
        _refuse_hidden(session, database.connection)
        session.query("SET statement_timeout = 0")
        session.query(f"SET lock_timeout = '{LOCK_WAIT}s'")
        session.query("SET idle_in_transaction_session_timeout = 0")
        cluster = pgidentity.cluster(session)  # before: a refusal would end the transaction
        session.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        ((name, sees, oid, now),) = session.query(
            f"SELECT pg_export_snapshot(), pg_current_snapshot()::text, oid, {pgfacts.NOW} "
            "FROM pg_database WHERE datname = current_database()"
        )
        first, xid, still = str(sees).split(":")
        seen = {"xid": xid, "xmin": first, "open": still, "oid": str(oid),
                "cluster": cluster, "created": str(now)}  # fmt: skip
        yield Snapshot(session, version, str(name), seen)
    finally:
        session.close()


def _refuse_hidden(session: Session, connection: Connection) -> None:
    """Refuse a role from which row level security hides rows: the dump would lack them."""
    rows = session.query(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relrowsecurity AND row_security_active(c.oid) ORDER BY 1"
    )
    if rows:
        names = ", ".join(str(row[0]) for row in rows[:5])
        raise PolicyRefused(
            f"row level security hides rows of {names} from {connection.user}",
            "A backup by this role would lack them. It was not begun, and nothing was changed.",
            f'let it see them: ALTER ROLE "{connection.user}" BYPASSRLS; or, where it owns the '
            "tables, ALTER TABLE … NO FORCE ROW LEVEL SECURITY",
        )


def _stream(
    program: tools.Tools, words: list[str], env: Mapping[str, str], draft: Draft, tell: Progress
) -> int:
    """Write the custom format; return how much pg_dump wrote, 0 where that can't be seen."""
    packing = _packing(program, env)
    packer = "" if packing == ZSTD else tools.zstd(env)
    argv = program.argv("pg_dump", "--format=custom", f"--compress={0 if packer else packing}",
                        *words)  # fmt: skip
    pack = [packer, "-1", "-T0", "-q", "-c"] if packer else []

    def started(pid: int) -> None:
        if packer and not program.prefix:  # else what it writes is packed, or written elsewhere
            tell.raw = lambda: _written_by(pid)

    with (
        draft.file("data.dump.zst" if packer else "data.dump", tell) as out,
        piped(argv, pack, env, on_start=started) as stream,
    ):
        while chunk := stream.read(CHUNK):
            out.write(chunk)
    return tell.seen


def _written_by(pid: int) -> int:
    """Return the bytes that a process has written, where the kernel tells (Linux)."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("wchar"))
    except (OSError, StopIteration):
        return 0


def _folder(
    program: tools.Tools,
    words: list[str],
    env: Mapping[str, str],
    draft: Draft,
    tell: Progress,
    jobs: int,
) -> int:
    """Write the directory format with several processes."""
    place = draft.folder / DATA
    argv = program.argv("pg_dump", "--format=directory", f"--jobs={jobs}", f"--file={place}",
                        f"--compress={_packing(program, env)}", *words)  # fmt: skip
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_EVERY):
            try:
                tell(sum(one.stat().st_size for one in place.iterdir()))
            except OSError:
                pass  # it is not there yet

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        with piped(argv, [], env) as stream:
            stream.read()
    except StepFailed:
        if shutil.disk_usage(draft.folder).free < NOTHING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise
    finally:
        done.set()
        looking.join()
    draft.add_folder()
    return 0


def _packing(program: tools.Tools, env: Mapping[str, str]) -> str:
    """Return pg_dump's own packing: zstd where it was built with it.

    No option says how it was built; asked to pack with what it lacks, it names that and ends
    before it connects.
    """
    if program.major < HAS_ZSTD:
        return GZIP
    argv = program.argv("pg_dump", f"--compress={ZSTD}", "--host=/nowhere", "--no-password", "x")
    said = subprocess.run(argv, env=dict(env), capture_output=True, stdin=subprocess.DEVNULL,
                          check=False, timeout=20)  # fmt: skip
    return GZIP if b"zstd" in said.stderr.lower() else ZSTD
