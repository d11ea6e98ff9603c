"""SQLite by its own backup API: consistent while others write, and atomic when it is brought back.

https://sqlite.org/backup.html
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
import urllib.parse
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.container.backup.archive import CHUNK, Backup, Damaged, Draft
from tidegate.errors import StepFailed

LOCKED = 30.0  # seconds for which somebody else may hold the file
BUSY = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED: the constants came with Python 3.11's sqlite3


def dump(path: str, draft: Draft, tell: Callable[[int], None]) -> dict[str, Any]:
    """Copy the file as it is at one moment, and return the manifest."""
    place = draft.folder / "copy.sqlite3"
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(fd)
    try:
        facts = copied(path, str(place))
        with draft.file("data.sqlite3", tell) as out, open(place, "rb") as source:
            while chunk := source.read(CHUNK):
                out.write(chunk)
    finally:
        place.unlink(missing_ok=True)
    return facts


def copied(source: str, target: str) -> dict[str, Any]:
    """Copy a file, and return what the manifest says of the copy."""
    try:
        with closing(_open(source)) as file:
            _copy(file, target)
        found = gather(target)
    except sqlite3.Error as error:
        raise StepFailed(
            f"{source} could not be copied: {error}", "", "see whether the file is whole"
        ) from None
    return {"vendor": "sqlite", "server": sqlite3.sqlite_version, "tool": "sqlite3 backup", **found}


def _copy(source: sqlite3.Connection, target: str) -> None:
    """Copy all pages in one go: a copy in steps starts anew whenever somebody writes.

    What holds a lock is waited for, and not for ever: Python itself would ask again without end.
    """
    until = time.monotonic() + LOCKED

    def look(status: int, remaining: int, total: int) -> None:
        if status in BUSY and time.monotonic() > until:
            raise sqlite3.OperationalError("database is locked")

    with closing(sqlite3.connect(target, timeout=5)) as new:
        source.backup(new, pages=-1, progress=look)


def _open(path: str) -> sqlite3.Connection:
    """Open a live file, which may have a journal to play back; one on a read-only disk as it is."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.access(path, os.W_OK) and os.access(folder, os.W_OK):
        return sqlite3.connect(path, timeout=5)
    return _still(path)


def gather(path: str) -> dict[str, Any]:
    """Return row counts and the schema of a copy of ours, that nobody writes to."""
    with closing(_still(path)) as file:
        rows = file.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
        ).fetchall()
        tables = {
            name: file.execute('SELECT count(*) FROM "{}"'.format(name.replace('"', '""')))
            .fetchone()[0]
            for kind, name, sql in rows
            if kind == "table" and not (sql or "").upper().startswith("CREATE VIRTUAL")
        }  # fmt: skip
        schema = {
            f"{kind} {name}": sha256((sql or "").encode()).hexdigest()[:16]
            for kind, name, sql in rows
        }
    return {"tables": tables, "sequences": {}, "schema": schema}


def _still(path: str | Path) -> sqlite3.Connection:
    """Open a file that nobody writes to, and leave nothing beside it."""
    name = urllib.parse.quote(str(Path(path).absolute()))
    return sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True)


def read_back(backup: Backup) -> None:
    """Have SQLite check every page, and count."""
    try:
        with closing(_still(backup.data)) as file:
            said = file.execute("PRAGMA integrity_check").fetchall()
        found = gather(str(backup.data))
    except sqlite3.Error as error:
        said, found = [(str(error),)], {}
    if said != [("ok",)] or found["tables"] != backup.manifest["tables"]:
        raise Damaged(
            f"the backup {backup.path} can't be read back: {said[0][0]}",
            "SQLite does not find a whole database in it.",
            "use another backup",
        )


def bring_back(backup: Backup, live: str, kept: str) -> None:
    """Keep the live file as `kept`, then write the backup into it in one transaction of SQLite.

    Whoever has it open goes on with the new content; a process that dies in between leaves a
    journal, from which the next one that opens the file puts the old content back. A live file
    that SQLite can't read is kept as it is, and a new one takes its name.
    """
    try:
        good = _keep(live, kept) if os.path.exists(live) else True
        with closing(_still(backup.data)) as data:
            _copy(data, live if good else f"{kept}.part")
        if not good:
            _put_in_place(f"{kept}.part", live, kept)
        same = _matches(backup, live)
    except sqlite3.Error as error:
        raise StepFailed(
            f"{live} could not be replaced: {error}",
            f"It stands as it stood before{_where(kept)}.",
            "stop what writes to it, and see that its folder can be written and has room; then "
            "start again",
        ) from None
    if not same:
        raise StepFailed(
            f"{live} is not what is in the backup, after it was written",
            f"Somebody wrote to it at once, or the disk did not keep it{_where(kept)}.",
            "stop what writes to it, then start again",
        )


def _where(kept: str) -> str:
    return f"; what it held is in {kept}" if os.path.exists(kept) else ""


def _keep(live: str, kept: str) -> bool:
    """Keep what the live file holds; return whether SQLite can read it, and write into it."""
    part = f"{kept}.part"
    try:
        with closing(_open(live)) as file:
            _copy(file, part)
        os.replace(part, kept)
    except sqlite3.DatabaseError as error:
        Path(part).unlink(missing_ok=True)
        if isinstance(error, sqlite3.OperationalError):
            raise  # locked, or no room: it is not the file that is bad
        shutil.copy2(live, kept)
        return False
    return True


def _put_in_place(part: str, live: str, kept: str) -> None:
    """Give a new file the name of one that is damaged; a journal of that must not meet it."""
    for end in ("-wal", "-shm", "-journal"):
        if os.path.exists(live + end):
            os.replace(live + end, kept + end)
    was = os.stat(live)
    shutil.copymode(live, part)
    if hasattr(os, "chown") and was.st_uid != os.geteuid():
        os.chown(part, was.st_uid, was.st_gid)
    os.replace(part, live)


def _matches(backup: Backup, live: str) -> bool:
    """Whether the file has the backup's tables; rows may come at any moment."""
    known = backup.manifest["schema"]
    with closing(_open(live)) as file:
        rows = file.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return {f"{kind} {name}" for kind, name in rows} >= set(known)
