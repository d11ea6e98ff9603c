"""The story of a backup: room, dump, proof, receipt, retention."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate._version import __version__
from tidegate.container.backup import (
    archive,
    crypt,
    errands,
    hook,
    lending,
    places,
    proving,
    retention,
    scratch,
    shelf,
    stores,
    streaming,
)
from tidegate.container.backup.archive import Backup
from tidegate.container.backup.policy import Policy, policy
from tidegate.container.backup.progress import Progress, megabytes
from tidegate.container.backup.source import Here, Source
from tidegate.container.gate import Gate
from tidegate.container.origin import container
from tidegate.container.report import Report
from tidegate.databases.sqlite import _filesystem
from tidegate.errors import PolicyRefused, TidegateError
from tidegate.model.connection import Connection

RATIO = 0.4  # of the tables' size, where no earlier backup says better


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
    source = Here(gate, connection, environ)
    if errands.VARIABLE in environ:  # the files are to be where tidegate was typed
        return lending.lend(source, environ, report)
    return keep(source, chosen, environ, report)


def keep(
    source: Source, chosen: Policy, environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """Write, prove and put away what a source gives; return the receipt."""
    began = time.monotonic()
    connection = source.connection
    alias = connection.alias
    level = source.level()
    if chosen.command:
        return hook.run(chosen.command, str(level["level_digest"]), connection, environ, report)
    if chosen.verify == "full" and connection.vendor != "sqlite":
        scratch.check(chosen.scratch, connection, source.server, environ)
    cipher = crypt.cipher_for(chosen.recipients, environ)
    bucket = places.store(chosen.remote, environ) if chosen.remote else None
    if bucket:
        bucket.check()
    folder = places.spool(environ) if bucket else chosen.folder
    _prepare(folder, _variable(bucket is not None), report)
    size, tool = source.size()
    if tool:
        text = f"the server's log is kept by {tool}; TIDEGATE_BACKUP_COMMAND runs it in our place"
        report.stage("backup", alias, text, archiver=tool)
    earlier = _earlier(chosen, alias, environ)
    ratio = _ratio(connection, earlier)
    needed = int(size * ratio * (2 if cipher else 1)) + streaming.ROOM
    progress = Progress(report, alias, size, ratio, _raw_ratio(earlier))
    streams = isinstance(bucket, stores.Bucket) and connection.vendor in streaming.VENDORS
    if streams and shutil.disk_usage(folder).free < needed:
        assert isinstance(bucket, stores.Bucket)
        backup = _streamed(source, chosen, (bucket, progress), cipher, level, environ)
        receipt = _receipt(backup, chosen, began)
        report.stage("verify", alias, _proved(backup, chosen.verify), receipt=receipt)
    else:
        _refuse_full(folder, alias, needed, _variable(bucket is not None))
        by = (cipher, bucket)
        backup, receipt = _kept(source, chosen, (folder, progress), by, level, environ, began)
    try:
        for gone in retention.retire(chosen, alias, backup, environ):
            report.stage("backup", alias, f"removed {gone}: older than what is kept")
    except TidegateError as error:  # the new one is there: that is what matters now
        report.warn(f"older backups were not removed: {error.what}")
    return receipt


def _streamed(
    source: Source, chosen: Policy, to: tuple[stores.Bucket, Progress],
    cipher: crypt.Cipher | None, level: Mapping[str, Any], environ: Mapping[str, str],
) -> Backup:  # fmt: skip
    """Dump into the bucket: this machine has no room for it. The snapshot is held meanwhile."""
    bucket, tell = to
    alias, began = source.connection.alias, time.monotonic()
    if chosen.jobs > 1:
        tell.report.warn("one job: what goes straight into a bucket is one stream")

    def dump(draft: streaming.Sent) -> dict[str, Any]:
        draft.known["alias"] = alias
        made = _dumped(source, draft, tell, 1, level)
        size = megabytes(sum(int(one["bytes"]) for one in draft.files.values()))
        text = f"{size} in {bucket.url}/{draft.name}, straight from the dump"
        tell.report.stage("backup", alias, text, time.monotonic() - began)
        return made

    vendor = source.connection.vendor
    proofs = proving.proofs(chosen.verify, chosen.scratch, vendor, environ)
    if not cipher:
        return streaming.keep(bucket, alias, tell.size, dump, proofs)
    made = streaming.keep_sealed(bucket, alias, tell.size, dump, proofs, cipher, environ)
    tell.report.stage("encrypt", alias, f"for {', '.join(cipher.recipients)}")
    return made


def _kept(
    source: Source, chosen: Policy, to: tuple[Path, Progress],
    by: tuple[crypt.Cipher | None, places.Store | None], level: Mapping[str, Any],
    environ: Mapping[str, str], began: float,
) -> tuple[Backup, dict[str, Any]]:  # fmt: skip
    """Write the files here, prove them, and encrypt or send them where that is asked for."""
    (folder, progress), alias = to, source.connection.alias
    report, passing = progress.report, any(by)
    with ExitStack() as stack:
        into = stack.enter_context(archive.drafting(folder)).folder if passing else folder
        backup = _write(source, chosen, (into, progress), level)
        took = time.monotonic() - began
        where = "" if passing else f" in {backup.path}"
        report.stage("backup", alias, f"{megabytes(backup.bytes)}{where}", took)
        at = time.monotonic()
        try:
            proving.prove(backup, chosen.verify, chosen.scratch, environ)
        except BaseException:
            shutil.rmtree(backup.path, ignore_errors=True)
            raise
        proved, took = _proved(backup, chosen.verify), time.monotonic() - at
        if not passing:
            receipt = _receipt(backup, chosen, began)
            report.stage("verify", alias, proved, took, receipt=receipt)
        else:
            report.stage("verify", alias, proved, took)
            backup = _passed_on(backup, by, folder, environ, report)
            receipt = _receipt(backup, chosen, began)
            text = f"{megabytes(backup.bytes)} in {backup.shown}"
            report.stage("backup", alias, text, receipt=receipt)
    return backup, receipt


def _passed_on(
    backup: Backup,
    by: tuple[crypt.Cipher | None, places.Store | None],
    folder: Path,
    environ: Mapping[str, str],
    report: Report,
) -> Backup:
    """Encrypt a proved backup, or send it, or both; it lies in a draft that goes afterwards."""
    cipher, bucket = by
    alias = str(backup.manifest["alias"])
    if cipher:
        at = time.monotonic()
        with archive.full_disk_said(folder, _variable(bucket is not None)):
            target = backup.path.parent / "encrypted" if bucket else folder
            target.mkdir(mode=0o700, exist_ok=True)
            backup = crypt.encrypted(backup, cipher, target, environ)
        text = f"for {', '.join(cipher.recipients)}"
        report.stage("encrypt", alias, text, time.monotonic() - at)
    if bucket:
        at = time.monotonic()
        sending = Progress(report, alias, backup.bytes, 1.0, what="sent")
        backup = bucket.put(backup, sending)
        report.stage("send", alias, "sent, read back and compared", time.monotonic() - at)
    return backup


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


def _prepare(folder: Path, variable: str, report: Report) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        shelf.sweep(folder)
    except OSError as error:
        raise PolicyRefused(
            f"{folder} can't be written: {error.strerror}",
            "It is where the backup goes. Nothing was changed.",
            f"mount a volume there that this user may write, or name another with {variable}",
        ) from None
    passing = variable == _variable(True)
    if container() and not passing and _filesystem(str(folder)) in ("overlay", "overlay2"):
        report.warn(
            f"{folder} lies in the container's own layer, and is lost with it; mount a volume"
        )


def _earlier(chosen: Policy, alias: str, environ: Mapping[str, str]) -> Backup | None:
    if chosen.remote:
        found = places.store(chosen.remote, environ).backups(alias, newest=True)
    else:
        found = shelf.backups(chosen.folder, alias)
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


def _refuse_full(folder: Path, alias: str, needed: int, variable: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PolicyRefused(
            f"{folder} has {megabytes(free)} free, and the backup of {alias} needs about "
            f"{megabytes(needed)}",
            "It was not begun. Nothing was changed.",
            f"make room there, or name another folder with {variable}",
        )


def _variable(remote: bool) -> str:
    return "TIDEGATE_BACKUP_SPOOL" if remote else "TIDEGATE_BACKUP_DIR"


def _write(
    source: Source, chosen: Policy, to: tuple[Path, Progress], level: Mapping[str, Any]
) -> Backup:
    folder, tell = to
    said = archive.full_disk_said(folder, _variable(bool(chosen.remote)))
    with said, archive.drafting(folder) as draft:
        manifest = _dumped(source, draft, tell, chosen.jobs, level)
        digest = str(next(iter(draft.files.values()))["sha256"])
        name = shelf.name_for(source.connection.alias, digest)
        return draft.finish(folder / name, manifest)


def _dumped(
    source: Source, draft: archive.Draft, tell: Progress, jobs: int, level: Mapping[str, Any]
) -> dict[str, Any]:
    """Have the dump written, and return what the manifest says of it."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **source.dump(draft, tell, jobs),
        **level,
        "tidegate": __version__,
        "alias": source.connection.alias,
        "database": source.connection.name,
        "framework": source.framework,
        "source_bytes": tell.size,
    }


def _proved(backup: Backup, level: str) -> str:
    rows = sum(backup.manifest["tables"].values())
    tables = len(backup.manifest["tables"])
    how = "restored and compared" if level == "full" else "read back"
    return f"{how}: {rows} rows of {tables} tables"


__all__ = ["Policy", "keep", "make", "policy", "risky"]
