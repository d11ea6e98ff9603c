"""SQLite by its own backup API: consistent while others write, and atomic when it is brought back.

https://sqlite.org/backup.html
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from tidegate.container.backup.archive import CHUNK, Backup, Damaged, Draft
from tidegate.errors import StepFailed

PAGES = 2048  # a step of the copy


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
        _copy(source, target)
        found = gather(target)
    except sqlite3.Error as error:
        raise StepFailed(
            f"{source} could not be copied: {error}", "", "see whether the file is whole"
        ) from None
    return {"vendor": "sqlite", "server": sqlite3.sqlite_version, "tool": "sqlite3 backup", **found}


def _copy(source: str, target: str) -> None:
    """Copy all pages in one go: a copy in steps starts anew whenever somebody writes."""
    with sqlite3.connect(source, timeout=30) as old, sqlite3.connect(target, timeout=30) as new:
        old.backup(new, pages=-1)
    old.close()
    new.close()


def gather(path: str) -> dict[str, Any]:
    """Return row counts and the schema."""
    file = sqlite3.connect(f"file:{Path(path).absolute()}?mode=ro", uri=True)
    try:
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
    finally:
        file.close()
    return {"tables": tables, "sequences": {}, "schema": schema}


def read_back(backup: Backup) -> None:
    """Have SQLite check every page, and count."""
    try:
        file = sqlite3.connect(f"file:{backup.data.absolute()}?mode=ro&immutable=1", uri=True)
        try:
            said = file.execute("PRAGMA integrity_check").fetchall()
        finally:
            file.close()
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
    journal, from which the next one that opens the file puts the old content back.
    """
    if os.path.exists(live):
        part = f"{kept}.part"
        _copy(live, part)
        os.replace(part, kept)
    try:
        _copy(str(backup.data), live)
    except sqlite3.OperationalError as error:
        raise StepFailed(
            f"{live} could not be replaced: {error}",
            "It stands as it stood before.",
            "stop what writes to it, then start again",
        ) from None
