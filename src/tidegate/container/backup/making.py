"""The story of a backup: room, dump, proof, receipt, retention."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tidegate._version import __version__
from tidegate.container.backup import (
    archive,
    crypt,
    hook,
    pgdump,
    places,
    proving,
    scratch,
    sqlitecopy,
    stores,
)
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.policy import Policy, policy
from tidegate.container.backup.progress import Progress, megabytes
from tidegate.container.gate import Gate
from tidegate.container.origin import container
from tidegate.container.report import Report
from tidegate.databases.postgresql import PostgreSQL
from tidegate.databases.sqlite import SQLite, _filesystem
from tidegate.errors import PolicyRefused, StepFailed
from tidegate.model.connection import Connection

RATIO = 0.4  # of the tables' size, where no earlier backup says better
SPARE = 16 << 20
PAGE = 8192
CATALOGUE = 8_000_000  # bytes of a PostgreSQL database with nothing in it


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
    if chosen.verify == "full" and chosen.scratch and connection.vendor == "postgresql":
        scratch.check(chosen.scratch, alias, environ)
    cipher = crypt.cipher_for(chosen.recipients, environ)
    bucket = stores.Bucket(chosen.remote, environ) if chosen.remote else None
    if bucket:
        bucket.check()
    folder = places.spool(environ) if bucket else chosen.folder
    _prepare(folder, report)
    level = _level(gate, connection)
    size = _size(gate, connection)
    earlier = _earlier(chosen, alias, environ)
    ratio = _ratio(connection, earlier)
    _refuse_full(folder, alias, int(size * ratio * (2 if cipher else 1)) + SPARE)
    progress = Progress(report, alias, size, ratio, _raw_ratio(earlier))
    with ExitStack() as stack:
        passing = bool(cipher or bucket)
        into = stack.enter_context(archive.drafting(folder)).folder if passing else folder
        backup = _write(gate, connection, chosen, environ, (into, progress), level)
        took = time.monotonic() - began
        where = "" if passing else f" in {backup.path}"
        report.stage("backup", alias, f"{megabytes(backup.bytes)}{where}", took)
        at = time.monotonic()
        try:
            proving.prove(backup, chosen.verify, chosen.scratch, environ)
        except BaseException:
            shutil.rmtree(backup.path, ignore_errors=True)
            raise
        proved, proving_took = _proved(backup, chosen.verify), time.monotonic() - at
        if cipher:
            at = time.monotonic()
            with _full_disk_said(folder):
                target = into / "encrypted" if bucket else folder
                target.mkdir(mode=0o700, exist_ok=True)
                backup = crypt.encrypted(backup, cipher, target, environ)
            text = f"for {', '.join(cipher.recipients)}"
            report.stage("encrypt", alias, text, time.monotonic() - at)
        if bucket:
            at = time.monotonic()
            sending = Progress(report, alias, backup.bytes, 1.0, what="sent")
            backup = bucket.put(backup, sending)
            report.stage("send", alias, "sent, read back and compared", time.monotonic() - at)
        if passing:
            report.stage("backup", alias, f"{megabytes(backup.bytes)} in {backup.shown}")
    receipt = _receipt(backup, chosen, began)
    report.stage("verify", alias, proved, proving_took, receipt=receipt)
    for gone in _retire(chosen, alias, backup, environ):
        report.stage("backup", alias, f"removed {gone}: older than what is kept")
    return receipt


def _receipt(backup: Backup, chosen: Policy, began: float) -> dict[str, Any]:
    receipt = {
        "path": backup.shown,
        "created": backup.manifest["created"],
        "bytes": backup.bytes,
        "digest": archive.seal_of(backup),
        "verified": chosen.verify,
        "level": backup.manifest["level_digest"],
        "tool": backup.manifest["tool"],
        "seconds": round(time.monotonic() - began, 3),
    }
    about = backup.manifest.get("encrypted")
    return {**receipt, "encrypted": about["tool"]} if about else receipt


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


def _earlier(chosen: Policy, alias: str, environ: Mapping[str, str]) -> Backup | None:
    found = places.found(chosen.folder, chosen.remote, alias, environ)
    return found[-1] if found else None


def _ratio(connection: Connection, earlier: Backup | None) -> float:
    """Return how much of the tables' size is written, as the last backup had it."""
    before = int(earlier.manifest.get("source_bytes") or 0) if earlier else 0
    if connection.vendor == "sqlite":
        return 1.0
    return 1.2 * earlier.bytes / before if earlier and before else RATIO


def _raw_ratio(earlier: Backup | None) -> float:
    known = earlier.manifest if earlier else {}
    before, wrote = int(known.get("source_bytes") or 0), int(known.get("dump_bytes") or 0)
    return wrote / before if before and wrote else 1.0


def _refuse_full(folder: Path, alias: str, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PolicyRefused(
            f"{folder} has {megabytes(free)} free, and the backup of {alias} needs about "
            f"{megabytes(needed)}",
            "It was not begun. Nothing was changed.",
            "make room there, or name another folder with TIDEGATE_BACKUP_DIR",
        )


@contextmanager
def _full_disk_said(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StepFailed(
            f"the disk of {folder} is full: the backup was given up",
            "Nothing was kept of it, and nothing was changed.",
            "make room there, or name another folder with TIDEGATE_BACKUP_DIR",
        ) from None


def _write(
    gate: Gate,
    connection: Connection,
    chosen: Policy,
    environ: Mapping[str, str],
    to: tuple[Path, Progress],
    level: Mapping[str, Any],
) -> Backup:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    folder, tell = to
    with _full_disk_said(folder), archive.drafting(folder) as draft:
        database = gate.database(connection)
        if isinstance(database, PostgreSQL):
            found = pgdump.dump(database.direct(), draft, environ, tell, chosen.jobs)
            if found["jobs"] < chosen.jobs:
                tell.report.warn(f"one job: {found['tool']} can't write a folder on this machine")
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


def _proved(backup: Backup, level: str) -> str:
    rows = sum(backup.manifest["tables"].values())
    tables = len(backup.manifest["tables"])
    how = "restored and compared" if level == "full" else "read back"
    return f"{how}: {rows} rows of {tables} tables"


def _retire(chosen: Policy, alias: str, newest: Backup, environ: Mapping[str, str]) -> list[str]:
    """Remove what is over the count or the age; the newest stays whatever they say."""
    if not chosen.keep and not chosen.days:
        return []
    known = places.found(chosen.folder, chosen.remote, alias, environ)
    found = [one for one in known if one.shown != newest.shown]
    over = found[: max(0, len(found) - chosen.keep + 1)] if chosen.keep else []
    oldest = datetime.now(UTC) - timedelta(days=chosen.days)
    old = [one for one in found if chosen.days and one.created < oldest]
    gone = [one for one in found if one in over or one in old]
    for one in gone:
        if chosen.remote:
            stores.Bucket(chosen.remote, environ).remove(one)
        else:
            shutil.rmtree(one.path, ignore_errors=True)
    return [one.shown for one in gone]


__all__ = ["Policy", "make", "policy", "risky"]
