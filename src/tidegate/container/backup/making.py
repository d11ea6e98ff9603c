"""The story of a backup: room, dump, proof, receipt, retention."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tidegate import settings as options
from tidegate._version import __version__
from tidegate.container.backup import archive, hook, pgdump, proving, sqlitecopy
from tidegate.container.backup.archive import Backup
from tidegate.container.gate import Gate
from tidegate.container.origin import container
from tidegate.container.report import Report
from tidegate.databases.postgresql import PostgreSQL
from tidegate.databases.sqlite import SQLite, _filesystem
from tidegate.errors import PolicyRefused, StepFailed, UsageProblem
from tidegate.model.connection import Connection

LEVELS = ("quick", "full")
SAY_EVERY = 5.0  # seconds
RATIO = 0.4  # of the tables' size, where no earlier backup says better
SPARE = 16 << 20
PAGE = 8192
CATALOGUE = 8_000_000  # bytes of a PostgreSQL database with nothing in it
KEYS = ("dir", "verify", "keep", "days", "command")


@dataclass(frozen=True, slots=True)
class Policy:
    """Where backups go, how they are proved, and how many are kept (0: all)."""

    folder: Path
    verify: str = "quick"
    keep: int = 0
    days: int = 0
    scratch: str = ""
    named: bool = False
    """Whether somebody named the folder: without that, `auto` makes no backup."""
    command: str = ""
    """The site's own way, in place of ours."""


def policy(root: Path, environ: Mapping[str, str], flags: Mapping[str, str]) -> Policy:
    """Return the policy from `[tool.tidegate.backup]`, TIDEGATE_BACKUP_*, and flags."""
    try:
        table = options.table(str(root), "backup")
    except options.BadSetting as error:
        raise UsageProblem(error.what, "", error.next) from None
    given = {key: str(value) for key, value in table.items()}
    for key in given:
        if key not in KEYS:
            raise UsageProblem(f"[tool.tidegate.backup] has no setting {key}", "",
                               "use one of: " + ", ".join(KEYS))  # fmt: skip
    for key in KEYS:
        if value := environ.get(f"TIDEGATE_BACKUP_{key.upper()}", ""):
            given[key] = value
    given.update(flags)
    verify = given.get("verify", "quick")
    if verify not in LEVELS:
        raise UsageProblem(f"the verification is {verify!r}", "", "use quick or full")
    for key in ("keep", "days"):
        if not given.get(key, "0").isdecimal():
            raise UsageProblem(f"{key} is {given[key]!r}", "", "give a number; 0 keeps all")
    return Policy(
        (root / given.get("dir", "backups")).absolute(),
        verify,
        int(given.get("keep", "0")),
        int(given.get("days", "0")),
        given.get("scratch", "") or environ.get("TIDEGATE_SCRATCH_URL", ""),
        "dir" in given or "command" in given,
        given.get("command", ""),
    )


def risky(gate: Gate, connection: Connection, pending: Sequence[str]) -> bool:
    """Return whether one of these steps takes data away, or has no way back of its own."""
    steps = [step for step in gate.steps(connection.alias) if step.id in set(pending)]
    undos = gate.project.undoing(connection.alias, steps)
    return any(one.refused or one.takes for one in undos)


def make(
    gate: Gate, connection: Connection, chosen: Policy, environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """Make a proved backup of one database, and return its receipt.

    The caller holds the election: nobody changes the level meanwhile.
    """
    began = time.monotonic()
    alias = connection.alias
    if chosen.command:
        gate.standing(connection)
        return hook.run(chosen.command, gate, connection, environ, report)
    _prepare(chosen.folder, report)
    level = _level(gate, connection)
    size = _size(gate, connection)
    _refuse_full(chosen.folder, alias, size)
    backup = _write(gate, connection, chosen.folder, environ, _Progress(report, alias, size), level)
    report.stage("backup", alias, f"{_mb(backup.bytes)} in {backup.path}", time.monotonic() - began)
    at = time.monotonic()
    try:
        proving.prove(backup, chosen.verify, chosen.scratch, environ)
    except BaseException:
        shutil.rmtree(backup.path, ignore_errors=True)
        raise
    receipt = {
        "path": str(backup.path),
        "created": backup.manifest["created"],
        "bytes": backup.bytes,
        "digest": archive.seal_of(backup),
        "verified": chosen.verify,
        "level": backup.manifest["level_digest"],
        "tool": backup.manifest["tool"],
        "seconds": round(time.monotonic() - began, 3),
    }
    proved = _proved(backup, chosen.verify)
    report.stage("verify", alias, proved, time.monotonic() - at, receipt=receipt)
    for gone in _retire(chosen, alias, backup):
        report.stage("backup", alias, f"removed {gone}: older than what is kept")
    return receipt


def _prepare(folder: Path, report: Report) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        archive.sweep(folder)
    except OSError as error:
        raise PolicyRefused(
            f"{folder} can't be written: {error.strerror}",
            "It is where the backup goes. Nothing was changed.",
            "mount a volume there that this user may write, or name another folder with "
            "TIDEGATE_BACKUP_DIR",
        ) from None
    if container() and _filesystem(str(folder)) in ("overlay", "overlay2"):
        report.warn(
            f"{folder} lies in the container's own layer, and is lost with it; mount a volume"
        )


def _level(gate: Gate, connection: Connection) -> dict[str, Any]:
    gate.standing(connection)
    return {
        "level": [".".join(row) for row in gate.recorded_rows(connection.alias)],
        "level_digest": gate.recorded_digest(connection.alias),
    }


def _size(gate: Gate, connection: Connection) -> int:
    """Return about the bytes of the tables without their indexes.

    `pg_table_size` would know better, and waits behind whoever holds a table's lock.
    """
    if connection.vendor == "sqlite":
        path = SQLite(connection).path
        return os.path.getsize(path) if path and os.path.exists(path) else 0
    session = gate.database(connection).session(5.0)
    try:
        rows = session.query(
            "SELECT pg_database_size(current_database()), "
            "coalesce(sum(relpages) FILTER (WHERE relkind IN ('r', 'm', 't')), 0), "
            "coalesce(sum(relpages), 0) FROM pg_class WHERE oid >= 16384"
        )
    finally:
        session.close()
    whole, tables, all_of_them = (int(str(one)) for one in rows[0])
    known = all_of_them * PAGE > whole / 2  # the numbers of pages are those of the last VACUUM
    return int(max(0, whole - CATALOGUE) * (tables / all_of_them if known else 1.0))


def _refuse_full(folder: Path, alias: str, size: int) -> None:
    earlier = archive.backups(folder, alias)
    ratio = 1.0 if earlier and earlier[-1].manifest["vendor"] == "sqlite" else RATIO
    if earlier and (before := int(earlier[-1].manifest.get("source_bytes") or 0)):
        ratio = 1.2 * earlier[-1].bytes / before
    needed = int(size * ratio) + SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PolicyRefused(
            f"{folder} has {_mb(free)} free, and the backup of {alias} needs about {_mb(needed)}",
            "It was not begun. Nothing was changed.",
            "make room there, or name another folder with TIDEGATE_BACKUP_DIR",
        )


class _Progress:
    """Says from time to time how far the dump is."""

    def __init__(self, report: Report, alias: str, size: int) -> None:
        self.size = size
        self._report = report
        self._alias = alias
        self._at = time.monotonic()

    def __call__(self, count: int) -> None:
        if time.monotonic() - self._at > SAY_EVERY:
            self._at = time.monotonic()
            text = f"{_mb(count)} written, of tables of {_mb(self.size)}"
            self._report.stage("backup", self._alias, text)


def _write(
    gate: Gate,
    connection: Connection,
    folder: Path,
    environ: Mapping[str, str],
    tell: _Progress,
    level: Mapping[str, Any],
) -> Backup:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with archive.drafting(folder) as draft:
            database = gate.database(connection)
            if isinstance(database, PostgreSQL):
                found = pgdump.dump(database.direct(), draft, environ, tell)
            else:
                found = sqlitecopy.dump(SQLite(connection).path, draft, tell)
            manifest = {
                **found,
                **level,
                "tidegate": __version__,
                "alias": connection.alias,
                "database": connection.name,
                "framework": gate.project.framework,
                "created": created,
                "source_bytes": tell.size,
            }
            digest = str(next(iter(draft.files.values()))["sha256"])
            return draft.finish(folder / archive.name_for(connection.alias, digest), manifest)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StepFailed(
            f"the disk of {folder} is full: the backup was given up",
            "Nothing was kept of it, and nothing was changed.",
            "make room there, or name another folder with TIDEGATE_BACKUP_DIR",
        ) from None


def _proved(backup: Backup, level: str) -> str:
    rows = sum(backup.manifest["tables"].values())
    tables = len(backup.manifest["tables"])
    how = "restored and compared" if level == "full" else "read back"
    return f"{how}: {rows} rows of {tables} tables"


def _retire(chosen: Policy, alias: str, newest: Backup) -> list[Path]:
    """Remove what is over the count or the age; the newest stays whatever they say."""
    found = [one for one in archive.backups(chosen.folder, alias) if one.path != newest.path]
    over = found[: max(0, len(found) - chosen.keep + 1)] if chosen.keep else []
    oldest = datetime.now(UTC) - timedelta(days=chosen.days)
    old = [one for one in found if chosen.days and one.created < oldest]
    gone = [one.path for one in found if one in over or one in old]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return gone


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
