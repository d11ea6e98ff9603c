"""Backup and restore of a MySQL or MariaDB database as a person asks for them.

There is neither an election nor a ledger on such a server: nobody migrates there by tidegate. What
was done is a line in a file beside the archives.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.container.backup import archive, errands, making, places, proving
from tidegate.container.backup.archive import Backup, Draft
from tidegate.container.backup.errands import Errand
from tidegate.container.backup.mysql import VENDORS, client, dumping, facts, restoring
from tidegate.container.backup.mysql.client import Client
from tidegate.container.backup.progress import Progress
from tidegate.container.backup.restoring import Restored
from tidegate.container.gate import Gate
from tidegate.container.origin import origin
from tidegate.container.report import Report
from tidegate.model.connection import Connection

RECEIPTS = "receipts.jsonl"
WAIT = 2.0  # seconds between two looks at a server that is away
TRANSACTIONAL = ("innodb", "rocksdb", "sequence")


def is_mysql(connection: Connection) -> bool:
    """Return whether a connection is to such a server."""
    return connection.vendor in VENDORS


def set_apart(gate: Gate) -> list[Connection]:
    """Take these connections out of the gate, which knows no way to wait for them."""
    theirs = [one for one in gate.connections if is_mysql(one)]
    gate.connections = [one for one in gate.connections if one not in theirs]
    return theirs


class Source:
    """A MySQL database; see `container.backup.source`."""

    def __init__(self, login: Client, server: str, framework: str, recorded: str) -> None:
        self.login, self.server, self.recorded = login, server, recorded
        self.connection, self.framework = login.connection, framework

    def level(self) -> dict[str, Any]:
        """Read the framework's table."""
        return dumping.level_of(self.login, self.recorded)

    def size(self) -> tuple[int, str]:
        """Ask the catalogue; nothing is known of who keeps the server's log."""
        return sum(size for _, _, size in facts.tables(self.login).values()), ""

    def dump(self, draft: Draft, tell: Progress, jobs: int) -> dict[str, Any]:
        """Have the maker's own dump write it."""
        others = [name for name, (engine, _, _) in facts.tables(self.login).items()
                  if engine.lower() not in TRANSACTIONAL]  # fmt: skip
        if others:
            tell.report.warn(
                f"{', '.join(others[:5])}: no transaction holds such a table still; what is "
                "written to it meanwhile may be in the backup or not (ALTER TABLE … ENGINE=InnoDB)"
            )
        if jobs > 1:
            tell.report.warn("one job: the dump of MySQL and MariaDB knows no more")
        return dumping.dump(self.login, self.server, draft, tell)


def back_up(
    gate: Gate, connection: Connection, chosen: making.Policy, deadline: float, report: Report
) -> dict[str, Any]:
    """Make a backup, and write its receipt down."""
    recorded = gate.project.recorded_sql(connection)
    if errands.VARIABLE in gate.environ:
        hidden = errands.written_out(connection)
        return Errand(gate.environ, report, "keep", connection.alias, hidden, recorded=recorded,
                      framework=gate.project.framework).wait()  # fmt: skip
    login, server = answering(connection, gate.environ, deadline, report)
    source = Source(login, server, gate.project.framework, recorded)
    return kept(source, chosen, gate.environ, report)


def kept(
    source: Source, chosen: making.Policy, environ: Mapping[str, str], report: Report
) -> dict[str, Any]:
    """Write, prove and put away; the receipt is written where the archives are."""
    receipt = making.keep(source, chosen, environ, report)
    note(
        "backup", source.connection, chosen.folder if not chosen.remote else None, receipt, environ
    )
    return receipt


def answering(
    connection: Connection, environ: Mapping[str, str], deadline: float, report: Report
) -> tuple[Client, str]:
    """Log in as soon as the server answers, before the deadline."""
    from tidegate.container.waiting import Dependency, wait_for
    from tidegate.errors import NotReady, RefusedForGood

    found: list[tuple[Client, str]] = []

    def look(timeout: float) -> str:
        found.append(client.opened(connection, environ))
        return found[-1][1]

    def changed(name: str, reason: str, seconds: float) -> None:
        report.stage("wait", name, reason)

    name = f"{connection.alias} ({connection.shown})"
    (outcome,) = wait_for([Dependency(name, look)], deadline, changed, threading.Event())
    if outcome.ready:
        return found[-1]
    if outcome.error:
        raise RefusedForGood(outcome.error.what, outcome.error.meaning, outcome.error.next)
    raise NotReady(f"{connection.shown} does not answer: {outcome.detail}", "",
                   "see whether it runs, and correct its address")  # fmt: skip


def note(
    kind: str, connection: Connection, folder: Path | None, receipt: Mapping[str, Any],
    environ: Mapping[str, str],
) -> None:  # fmt: skip
    """Add a line to the receipts beside the archives."""
    if folder is None:
        return
    who = {key: value for key, value in origin(environ).items() if value}
    line = {"kind": kind, "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "database": connection.shown, **receipt, **who}  # fmt: skip
    fd = os.open(folder / RECEIPTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def bring_back(
    backup: Backup, target: Connection, environ: Mapping[str, str], deadline: float, report: Report
) -> Restored:
    """Restore over a database, whose tables are kept beside."""
    if backup.outside:
        hidden = errands.written_out(target)
        said = Errand(environ, report, "bring", target.alias, hidden, path=backup.shown).wait()
        return Restored(said["name"], said["kept"])
    login, server = answering(target, environ, deadline, report)
    return brought(backup, login, server, environ, report)


def brought(
    backup: Backup, login: Client, server: str, environ: Mapping[str, str], report: Report
) -> Restored:
    """Prove, fill, compare, swap; write it down where the backup lies."""
    began = time.monotonic()
    with places.plain(backup, environ) as here:
        proving.read_back(here, environ)
        took = time.monotonic() - began
        report.stage("verify", login.connection.alias, "the backup is whole", took)
        done = restoring.bring(here, login, server, environ, report)
    brought_back(backup, login.connection, done, environ, time.monotonic() - began)
    return done


def brought_back(
    backup: Backup, connection: Connection, done: Restored, environ: Mapping[str, str],
    seconds: float = 0.0,
) -> None:  # fmt: skip
    """Write a restore down where the backup lies."""
    receipt = {"path": backup.shown, "digest": archive.seal_of(backup), "kept": done.kept,
               "seconds": round(seconds, 3)}  # fmt: skip
    note("restore", connection, None if backup.url else backup.path.parent, receipt, environ)


def loses(
    backup: Backup, target: Connection, environ: Mapping[str, str], deadline: float, report: Report
) -> list[str]:
    """Say what a restore takes away."""
    if backup.outside:
        hidden = errands.written_out(target)
        found = Errand(environ, report, "loses", target.alias, hidden, path=backup.shown).wait()
        return [str(line) for line in found["lost"]]
    login, _ = answering(target, environ, deadline, report)
    return restoring.loses(backup, login)
