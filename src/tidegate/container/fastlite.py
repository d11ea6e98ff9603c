"""The fast path's look at a SQLite file."""

from __future__ import annotations

import os
import sqlite3
from hashlib import md5

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tidegate.container.sealfile import Head


def ask(path: str, head: Head, expected: list[str]) -> str:
    """Return "=" and the library's version where it is current, else why that isn't known."""
    if not os.path.isfile(path):
        return "no such file"
    try:
        file = sqlite3.connect(f"file:{path.replace('?', '%3f')}?mode=ro", uri=True, timeout=1)
        if head.one("framework") == "django":
            rows = file.execute("SELECT app || '.' || name FROM django_migrations").fetchall()
        else:
            table = expected[3].split(" FROM ", 1)[1]
            rows = file.execute(f"SELECT version_num FROM {table}").fetchall()
        file.close()
    except sqlite3.Error as error:
        return str(error)
    text = ",".join(sorted(row[0] for row in rows))
    if md5(text.encode(), usedforsecurity=False).hexdigest() != expected[2]:
        return "the recorded steps are not exactly those of the seal"
    return f"=SQLite {sqlite3.sqlite_version}"
