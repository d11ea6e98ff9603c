"""The database's part of a backup and of a restore, for files that are kept outside.

Here are the election, the snapshot, the counts and the swap; outside are pg_dump and pg_restore
(of the database's own container, or of that machine), the folder, the proof, and the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.container.backup import errands, pgdump, restoring, sqlitecopy, swapping
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.errands import Errand
from tidegate.container.backup.source import Here
from tidegate.container.backup.waitsaid import waits_said
from tidegate.container.report import Report
from tidegate.databases.postgresql import PostgreSQL
from tidegate.databases.sqlite import SQLite
from tidegate.model.connection import Connection

DATA = "data.sqlite3"


def lend(source: Here, environ: Mapping[str, str], report: Report) -> dict[str, Any]:
    """Hold the database still for a backup that is written outside; return its receipt."""
    size, tool = source.size()
    known = {**source.level(), "size": size, "tool": tool, "framework": source.framework,
             "created": datetime.now(UTC).isoformat(timespec="seconds")}  # fmt: skip
    if source.connection.vendor == "sqlite":
        return _copied(source, known, environ, report)
    database = source.gate.database(source.connection)
    assert isinstance(database, PostgreSQL)
    direct = database.direct()
    with pgdump.snapshot(direct) as held:
        hidden = errands.written_out(direct.connection)
        seen = {"server": held.server, "snapshot": held.name, **held.seen}
        with waits_said(direct, report), held.counting() as facts:
            needs = {key: facts[key] for key in pgdump.NEEDS}
            errand = Errand(environ, report, "keep", source.connection.alias, hidden,
                            **{**known, **seen, **needs})  # fmt: skip
            errand.wait("dumped")
    errand.give("facts", facts)
    return errand.wait()


def _copied(
    source: Here, known: Mapping[str, Any], environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """Copy a SQLite file into the folder that both see; the outside takes it from there."""
    place = Path(environ[errands.VARIABLE]) / DATA
    place.touch(0o600)
    facts = sqlitecopy.copied(SQLite(source.connection).path, str(place))
    place.chmod(0o644)
    hidden = errands.written_out(source.connection)
    errand = Errand(environ, report, "keep", source.connection.alias, hidden, **known)
    errand.give("facts", facts)
    return errand.wait()


def offered(environ: Mapping[str, str], alias: str = "") -> list[Backup]:
    """Return the backups, of one database or of any, that the outside has."""
    if errands.VARIABLE not in environ:
        return []
    found = errands.read(Path(environ[errands.VARIABLE]), errands.KNOWN) or {}
    listed = [Backup(Path(one["shown"]), one["manifest"], seal=one["seal"], outside=True)
              for one in found.get("backups", ())]  # fmt: skip
    return [one for one in listed if alias in ("", one.manifest["alias"])]


def bring(
    backup: Backup,
    target: Connection,
    environ: Mapping[str, str],
    report: Report,
    before_swap: swapping.BeforeSwap,
) -> restoring.Restored:
    """Restore a backup whose files are outside."""
    restoring.check_kind(backup, target)
    if target.vendor == "sqlite":
        Errand(environ, report, "data", target.alias, path=backup.shown).wait()
        folder = Path(environ[errands.VARIABLE])
        here = Backup(folder, {**backup.manifest, "form": 1, "files": {DATA: {}}})
        sqlitecopy.read_back(here)
        return restoring.sqlite(here, target, report)

    def fill(fresh: Connection, exists: bool) -> None:
        hidden = errands.written_out(fresh)
        Errand(environ, report, "fill", target.alias, hidden, path=backup.shown,
               owners=exists).wait()  # fmt: skip

    old = PostgreSQL(target, environ).direct()
    return restoring.postgresql(backup, old, environ, report, before_swap, fill)
