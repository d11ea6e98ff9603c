"""SQLite: the file, and an election by a lock file beside it.

`flock` on a file in the same folder excludes every process that shares the kernel, so also every
container that shares the volume, and the kernel frees it when its holder dies. On a network file
system the promise can't be kept for sure, and `warning` says so (https://sqlite.org/lockingv3.html,
section 6, and `man 2 flock`, "NFS details").
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from tidegate.contracts.database import Rows, TableMissing
from tidegate.model.blocker import Blocker
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient

VENDOR = "sqlite"

NETWORK_FILESYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs")


class SQLite:
    """One SQLite file."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def path(self) -> str:
        """The file, or an empty string for a database in memory."""
        name = self.connection.name
        if name.startswith("file:"):
            name = name[5:].split("?", 1)[0]
        return "" if name in ("", ":memory:") else name

    def probe(self, timeout: float) -> str:
        """Open it and ask one query; a file that isn't there yet is an empty database."""
        session = self.session(timeout)
        try:
            session.query("SELECT count(*) FROM sqlite_master")
        finally:
            session.close()
        return f"SQLite {sqlite3.sqlite_version}"

    def session(self, timeout: float) -> SQLiteSession:
        """Open the file for reading; never creates it."""
        return SQLiteSession(self, timeout)

    def election(self, timeout: float, held: object = None) -> SQLiteElection:
        """Open the lock file; it is not yet locked."""
        return SQLiteElection(self)

    def warning(self) -> str:
        """Say where the lock can't be relied on, or nothing."""
        kind = _filesystem(os.path.dirname(os.path.abspath(self.path))) if self.path else ""
        if kind not in NETWORK_FILESYSTEMS:
            return ""
        return (
            f"{self.path} lies on a network file system ({kind}): neither SQLite's own locks nor "
            "the election hold there for sure; run one replica, or use PostgreSQL"
        )


def _filesystem(folder: str) -> str:
    """Return the type of the mount that `folder` lies on, from Linux's mountinfo."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as lines:
            mounts = [line.split() for line in lines]
    except OSError:
        return ""
    best, kind = "", ""
    for fields in mounts:
        point = fields[4].replace("\\040", " ")
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[fields.index("-") + 1]
    return kind


class SQLiteSession:
    """A read-only session; in autocommit, as nothing is ever left open."""

    def __init__(self, database: SQLite, timeout: float) -> None:
        self._file: sqlite3.Connection | None = None
        self._database = database
        self._timeout = timeout
        self._open()

    def _open(self) -> None:
        path = self._database.path
        if not path or not os.path.exists(path):
            folder = os.path.dirname(os.path.abspath(path)) if path else ""
            if folder and not os.path.isdir(folder):
                raise Permanent(
                    f"the folder {folder} of database {path} does not exist",
                    "SQLite can't create its file there, and no waiting will.",
                    f"create it, or mount the volume at {folder}",
                )
            return
        if not os.access(path, os.R_OK):
            raise Permanent(
                f"{path} may not be read by user {os.getuid() if hasattr(os, 'getuid') else ''}",
                "The app runs as another user than the one that owns the database file.",
                f"chown the volume in the image, or set user: in the Compose file ({path})",
            )
        from urllib.parse import quote

        try:
            self._file = sqlite3.connect(
                f"file:{quote(os.path.abspath(path))}?mode=ro",
                uri=True,
                timeout=self._timeout,
                isolation_level=None,
            )
        except sqlite3.Error as error:
            raise Transient(str(error)) from None

    def query(self, sql: str, timeout: float | None = None) -> Rows:
        """Run SQL; a database without a file has no tables. The session's own timeout holds."""
        if self._file is None:
            self._open()
        if self._file is None:
            if "sqlite_master" in sql:
                return [("0",)]
            raise TableMissing("the database does not exist yet")
        try:
            try:
                rows = self._file.execute(sql).fetchall()
            except sqlite3.OperationalError as error:
                if not is_unfinished(error):
                    raise
                finish(self._database.path, self._timeout)
                rows = self._file.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise TableMissing(str(error)) from None
            raise Transient(str(error)) from None
        except sqlite3.DatabaseError as error:
            raise Permanent(
                f"the file is not a SQLite database, or is damaged: {error}",
                "SQLite refuses to read it.",
                "point the settings at the right file, or restore it from a backup",
            ) from None
        return [tuple(None if v is None else str(v) for v in row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class SQLiteElection:
    """An exclusive lock on `<file>.tidegate-lock`; frees itself when the process ends."""

    def __init__(self, database: SQLite) -> None:
        self._database = database
        self._fd = -1
        self._cuts: list[Callable[[], None]] = []
        self.path = database.path and database.path + ".tidegate-lock"

    @property
    def redirect(self) -> Mapping[str, str]:
        """Nothing: there is no pooler before a file."""
        return {}

    def try_win(self) -> bool:
        """Try once."""
        if not self.path:
            return True
        if self._fd < 0:
            try:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError as error:
                raise Permanent(
                    f"{self.path} can't be written: {error.strerror}",
                    "The election's lock file lies beside the database, and a migration would "
                    "have to write there too.",
                    f"make {os.path.dirname(os.path.abspath(self.path))} writable for this user",
                ) from None
        if not lock_file(self._fd):
            return False
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{socket.gethostname()} (process {os.getpid()})\n".encode(), 0)
        return True

    def hold_again(self) -> bool:
        """Return that it is: no server is there to go away."""
        return True

    def settle(self, deadline: float, on_wait: Callable[[str], None]) -> bool:
        """Return at once: a dead process leaves nothing running in a file."""
        return True

    def holder(self) -> str:
        """Name the process, as it wrote itself into the lock file."""
        try:
            with open(self.path, encoding="utf-8") as lock:
                return lock.read(200).strip() or "another process"
        except OSError:
            return "another process"

    def query(self, sql: str) -> Rows:
        """Write through a connection of its own: the ledger's door."""
        with sqlite3.connect(
            self._database.path or ":memory:", timeout=5, isolation_level=None
        ) as file:
            try:
                rows = file.execute(sql).fetchall()
            except sqlite3.Error as error:
                if "no such table" in str(error):
                    raise TableMissing(str(error)) from None
                raise Transient(str(error)) from None
        file.close()
        return [tuple(None if v is None else str(v) for v in row) for row in rows]

    def start(self, on_lost: Callable[[str], None]) -> None:
        """Nothing to prove: the kernel knows whether we live."""

    def fence(
        self, run: Callable[[str], Sequence[tuple[object, ...]]], cut: Callable[[], None]
    ) -> None:
        """Keep the session's own end: it dies with its process, so there is nothing to tie."""
        self._cuts.append(cut)

    def blockers(self) -> Sequence[Blocker]:
        """SQLite doesn't know who has its file locked."""
        return []

    def still_there(self, blockers: Sequence[Blocker]) -> bool:
        """Nobody is known."""
        return True

    def make_way(self, blocker: Blocker) -> None:
        """There is no maintenance beside."""

    def cancel(self) -> None:
        """Interrupt the statement: SQLite runs inside this process."""
        for cut in self._cuts:
            cut()

    def release(self) -> None:
        """Unlock; the file stays, as removing it would let two processes lock two files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_unfinished(error: sqlite3.Error) -> bool:
    """Whether a reader may not read because a writer died in its transaction.

    Its journal has to be rolled back first (https://sqlite.org/rescode.html, the codes that begin
    with SQLITE_READONLY), and who opened the file for reading may not.
    """
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_READONLY")


def finish(path: str, timeout: float) -> None:
    """Let SQLite roll back what a dead writer left: it does so for who may write."""
    file = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    try:
        file.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:
        if not is_unfinished(error):
            raise
        raise Permanent(
            f"{path} was left in the middle of a transaction, and may not be written here",
            "Its last writer was killed. SQLite undoes the half of it as soon as a process opens "
            "the file that may write to it and to its folder.",
            f"make {path} and its folder writable for this user",
        ) from None
    finally:
        file.close()


def lock_file(fd: int) -> bool:
    """Lock without waiting."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def database(connection: Connection, environ: Mapping[str, str]) -> SQLite:
    """Return the database that `connection` names."""
    return SQLite(connection)
