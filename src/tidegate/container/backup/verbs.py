"""Backup and restore as a person asks for them: under the election, with a run in the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate.container import approving, ledger
from tidegate.container.backup import (
    archive,
    lending,
    making,
    restoring,
    since,
    snapshots,
    swapping,
)
from tidegate.container.backup.archive import Backup
from tidegate.container.gate import Gate
from tidegate.container.holding import elected
from tidegate.container.raising import Raising
from tidegate.container.report import Report, masked
from tidegate.contracts.database import Session
from tidegate.databases.postgresql import PostgreSQL
from tidegate.errors import PolicyRefused, TidegateError, UsageProblem
from tidegate.model.connection import Connection
from tidegate.model.readiness import Permanent, Transient


def back_up(raising: Raising, chosen: making.Policy) -> dict[str, Any]:
    """Make a backup while nobody may change the level, and write its receipt down."""
    gate, connection = raising.gate, raising.connection
    started, began = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    with elected(raising) as election:
        book = _book(gate, connection, election.query)
        state, message, receipt = "failed", "", {}
        gate.standing(connection)  # what a refusal before the dump is written down with
        try:
            receipt = making.make(gate, connection, chosen, gate.environ, raising.report)
            state = "done"
        except TidegateError as error:
            message = masked(error.what, raising.report.secrets)
            raise
        finally:
            level = gate.recorded_digest(connection.alias)
            said = json.dumps(receipt) if receipt else ""
            # Only now: a run that is open while the dump is made would be open in its copy too.
            book.begin("", "backup", started=started, backup=said, level_before=level)
            book.end(state, time.monotonic() - began, [], message, level)
            if book.off:
                raising.report.warn(f"the ledger was not written: {book.off}")
    return receipt


def snapshot(raising: Raising, chosen: making.Policy, end: bool) -> dict[str, Any]:
    """Make a snapshot while nobody migrates, and write its receipt down.

    The election's own session is on the database, which the server then would not copy: it is let
    go for the copy. Who migrates just then makes the copy fail, and the level is read out of it.
    """
    gate, connection = raising.gate, raising.connection
    if connection.vendor != "postgresql":
        raise no_snapshots(connection)
    started, began = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    with elected(raising):
        pass
    receipt = snapshots.take(gate, connection, chosen, gate.environ, raising.report, end)
    with elected(raising) as election:
        book = _book(gate, connection, election.query)
        gate.standing(connection)
        level = gate.recorded_digest(connection.alias)
        book.begin("", "backup", started=started, backup=json.dumps(receipt), level_before=level)
        book.end("done", time.monotonic() - began, [], "", level)
        if book.off:
            raising.report.warn(f"the ledger was not written: {book.off}")
    return receipt


def no_snapshots(connection: Connection) -> UsageProblem:
    """Return the error for another database than PostgreSQL's."""
    return UsageProblem(
        f"there are no snapshots of {connection.vendor}",
        "They are copies that a PostgreSQL server makes of a database.",
        "make a backup: tidegate backup",
    )


def _book(gate: Gate, connection: Connection, query: ledger.Query) -> ledger.Ledger:
    framework = gate.project.framework
    return ledger.Ledger(query, connection.vendor, framework, connection.alias, gate.environ)


def loses(backup: Backup, target: Connection, environ: Mapping[str, str]) -> list[str]:
    """Say what a restore over an existing database takes away; nothing where there is none."""
    rows = [since.UNKNOWN]
    if target.vendor == "postgresql":
        server = PostgreSQL(target, environ).direct()
        if not restoring.number_of(server, environ) or restoring.is_empty(server):
            return []
        rows = since.written(backup, server, target.name)
        rows += restoring.staying(server, environ)
    elif not Path(target.name).exists():
        return []
    return [
        f"{target.shown} goes back to {backup.manifest['created']}: what was written since is not "
        "in it.",
        *rows,
        "The database as it is now is kept, under another name.",
    ]


def refuse_hindered(target: Connection, environ: Mapping[str, str]) -> None:
    """Raise what would keep the restore from its last step, before anybody gives a word for it."""
    if target.vendor == "postgresql":
        restoring.refuse_prepared(PostgreSQL(target, environ).direct(), environ)


def word_for(backup: Backup, target: Connection, environ: Mapping[str, str]) -> str:
    """Return the name of this plan: this backup over this very database.

    One that was restored since is another one, whose rows nobody has agreed to lose.
    """
    own = ""
    if target.vendor == "postgresql":
        own = restoring.number_of(PostgreSQL(target, environ).direct(), environ)
    return approving.fingerprint("restore", archive.seal_of(backup), target.shown, own)


def refuse_another(
    word: str, backup: Backup, target: Connection, environ: Mapping[str, str]
) -> None:
    """Raise PolicyRefused where somebody has restored it since the word was given."""
    if word_for(backup, target, environ) != word:
        raise PolicyRefused(
            f"{target.shown} was restored by somebody else meanwhile",
            "It is another database than the one that was agreed on, and was not touched.",
            "see who it was: tidegate history",
        )


def bring_back(
    raising: Raising, backup: Backup, check: Callable[[], None] = lambda: None
) -> restoring.Restored:
    """Restore over the project's own database, with a new page in the restored ledger.

    `check` raises, under the election and once more before the swap, when what was agreed on is no
    more. The page is written before the swap: a container that starts right after it must see that
    nothing is to be raised.
    """
    gate, connection = raising.gate, raising.connection
    page = _Page(raising, backup)
    with elected(raising) as election:
        check()
        if connection.vendor == "sqlite":
            done = _bring(backup)(backup, connection, gate.environ, raising.report, _nothing)
            page.write(election.query, done.kept)
            return done

        def before_swap(fresh: str, kept: str) -> None:
            check()
            direct = PostgreSQL(connection, gate.environ).direct()
            made = PostgreSQL(replace(direct.connection, name=fresh), gate.environ)
            session = made.session(10.0)
            try:
                page.write(session.query, kept, session)
            except (Transient, Permanent) as error:
                raising.report.warn(f"the ledger was not written: {error}")
            finally:
                session.close()
            election.release()

        return _bring(backup)(backup, connection, gate.environ, raising.report, before_swap)


def _nothing(fresh: str, kept: str) -> None:
    """A file needs nothing done before it is written."""


def _bring(
    backup: Backup,
) -> Callable[
    [Backup, Connection, Mapping[str, str], Report, swapping.BeforeSwap], restoring.Restored
]:
    if "snapshot" in backup.manifest:
        return snapshots.bring
    return lending.bring if backup.outside else restoring.restore


class _Page:
    """The run that a restore is written down as, in the ledger that it has brought back."""

    def __init__(self, raising: Raising, backup: Backup) -> None:
        self.raising, self.backup = raising, backup
        self.started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.began = time.monotonic()

    def write(self, query: ledger.Query, kept: str, session: Session | None = None) -> None:
        """Write it; what can't be written is said, and stops nothing."""
        gate, connection = self.raising.gate, self.raising.connection
        book = _book(gate, connection, query)
        if session:
            gate.level(connection, session)
        else:
            gate.standing(connection)
        backup = self.backup
        receipt = json.dumps({"path": backup.shown, "digest": archive.seal_of(backup)})
        level = gate.recorded_digest(connection.alias)
        message = f"restored; the database before it is kept as {kept}" if kept else ""
        book.begin("", "restore", started=self.started, backup=receipt, level_before=level)
        book.end("done", time.monotonic() - self.began, [], message, level)
        if book.off:
            self.raising.report.warn(f"the ledger was not written: {book.off}")
