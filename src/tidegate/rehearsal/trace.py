"""The tracer: runs each statement of a step between two looks at its session, and tells it.

The framework's hooks call `around`; what it learns goes out as one event a statement.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from tidegate.model.sqlstate import sqlstate
from tidegate.model.sqltext import split
from tidegate.rehearsal.comparing import Comparing
from tidegate.rehearsal.leftout import LeftOut
from tidegate.rehearsal.pgprobe import PostgresProbe, Snapshot
from tidegate.rehearsal.record import Record
from tidegate.rehearsal.session import AppSession
from tidegate.rehearsal.textual import acted_on, reaches_far
from tidegate.rehearsal.unseen import NOTED, Unseen

CONTROL = re.compile(
    r"^\s*(SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT|START|END|SHOW|SET(?!\s+CONSTRAINTS))\b", re.I
)
CATALOGUE = re.compile(r"\bpg_catalog\b|\bpg_class\b|\binformation_schema\b|\bsqlite_master\b|"
                       r"^\s*PRAGMA\b|\bpg_type\b|\bpg_attribute\b", re.I)  # fmt: skip
BOOKS = re.compile(r'"?(django_migrations|alembic_version)"?', re.I)
BUILDS = re.compile(r"^\s*(CREATE\s+(UNIQUE\s+)?INDEX|REINDEX|CLUSTER|VACUUM\b.*\bFULL)", re.I)
READING = re.compile(r"^\s*SELECT\b", re.I)
SECRET = re.compile(r"(\bPASSWORD\s+)'(?:[^']|'')*'", re.I)
LEFT_OUT = "done by an earlier run: left out"
SAME = 20  # times that one statement of one place is looked at closely; then it is only counted
NOT_IN_A_TRANSACTION = ("25001", "2D000", "25P01")


class Where(Protocol):
    """Says what caused the statement that runs now."""

    def __call__(self, sql: str) -> tuple[str, str, str, int]:
        """Return (operation, description, path, line)."""


class Tracer:
    """Follows the steps of one rehearsal."""

    def __init__(
        self,
        emit: Callable[[dict[str, Any]], None],
        probe: PostgresProbe | None,
        vendor: str,
        books: str = "",
    ) -> None:
        self.emit = emit
        self.probe = probe
        self.vendor = vendor
        self.books = re.compile(re.escape(books), re.I) if books else BOOKS
        self._compared = Comparing(probe) if probe else None
        self._past = Unseen(probe, self.books) if probe else None
        self.step = ""
        self.on = False
        self.where: Where = lambda sql: ("", "", "", 0)
        self.session: AppSession | None = None
        self._last: Snapshot | None = None
        self._counted: Snapshot | None = None  # the counters at the first look of a transaction
        self._counts: dict[tuple[str, int], Record] = {}
        self.touched: set[str] = set()
        self.everything_touched = False
        self.left_out: LeftOut | None = None

    def begin(self, step: str) -> None:
        """A step begins."""
        self.step, self.on, self._last, self._counted = step, True, None, None
        self._counts, self.touched, self.everything_touched = {}, set(), False
        if self.left_out is not None:
            self.left_out.begin(step)
        if self.probe is not None:
            self.probe.refresh(self.session)

    def finish(self) -> None:
        """The step has ended: tell what was only counted, and what no hook saw."""
        if not self.step:
            return
        self.on = False
        for record in self._counts.values():
            if record.count > SAME:
                record.sql = f"(again) {record.sql}"
                record.count -= SAME
                self.emit(record.document())
        if self.probe and self.session is not None:
            after = self._look()
            if after is not None:
                self._unseen(after)
        self.step = ""

    def around(self, session: AppSession, sql: str, execute: Callable[[], Any]) -> Any:
        """Run one statement, and look at its session before and after it."""
        self.session = session
        if not self.on or self._is_between(sql):
            self._counted = None  # what a savepoint takes back has still been counted
            return execute()
        record = self._record(sql, sql)
        if self.left_out is not None and self.left_out.is_done(session, record.sql):
            record.blind = LEFT_OUT
            self.emit(record.document())
            return None
        counted = self._counts.setdefault((record.sql, record.line), record.counting())
        counted.count += 1
        if counted.count > SAME:
            return self._timed(counted, execute)
        return self._closely(session, record, execute)

    def _record(self, sql: str, asked: str = "") -> Record:
        """Return a record of what runs now; `asked` is what its operation is known by."""
        operation, describe, path, line = self.where(asked)
        return Record(self.step, SECRET.sub(r"\1'***'", sql), operation=operation,
                      describe=describe, path=path, line=line)  # fmt: skip

    def _is_between(self, sql: str) -> bool:
        """Whether it is no work of the step's own: BEGIN, SET, the framework's own table."""
        if not (CONTROL.search(sql) or self.books.search(sql)):
            return False
        return all(CONTROL.search(one) or self.books.search(one) for one in split(sql))

    def _timed(self, record: Record, execute: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return execute()
        finally:
            record.seconds += time.monotonic() - began

    def _closely(self, session: AppSession, record: Record, execute: Callable[[], Any]) -> Any:
        if self.probe is None:
            return self._on_sqlite(record, execute)
        if session.autocommit and session.status == "idle":
            if self.probe.must_watch(record.sql):
                return self._watched(session, record, execute)
            if READING.search(record.sql):  # it takes no lock that anyone waits for
                return self._between(session, record, execute)
            return self._wrapped(session, record, execute)
        return self._between(session, record, execute)

    def _between(self, session: AppSession, record: Record, execute: Callable[[], Any]) -> Any:
        assert self.probe is not None
        before = self._look(before=True)
        if before is not None:
            self._unseen(before)
        began = time.monotonic()
        try:
            result = execute()
        except Exception as error:
            record.seconds = time.monotonic() - began
            record.error = _first_line(error)
            self.emit(record.document())
            raise
        record.seconds = time.monotonic() - began
        after = self._look()
        if before is not None and after is not None:
            assert self._compared is not None
            self._compared.compare(record, before, after)
        self._last = after
        self._tell(record)
        return result

    def _wrapped(self, session: AppSession, record: Record, execute: Callable[[], Any]) -> Any:
        """Give a statement in autocommit a transaction, so that its locks can still be read."""
        session.run("BEGIN")
        try:
            result = self._between(session, record, execute)
        except Exception as error:
            session.run("ROLLBACK")
            if sqlstate(error) not in NOT_IN_A_TRANSACTION:
                raise
            record.error = ""
            return self._watched(session, record, execute)
        session.run("COMMIT")
        self._last = None
        return result

    def _watched(self, session: AppSession, record: Record, execute: Callable[[], Any]) -> Any:
        assert self.probe is not None and self._compared is not None
        before = self._look()
        if before is not None:
            self._unseen(before)
        nodes = self.probe.nodes()
        pid = int(str(session.run("SELECT pg_backend_pid()")[0][0]))
        began = time.monotonic()
        try:
            result, locks = self.probe.watch(record.sql, pid, execute)
        except Exception as error:
            record.error = _first_line(error)
            self.emit(record.document())
            raise
        record.seconds = time.monotonic() - began
        for oid, mode in sorted(locks):
            self._compared.lock(record.locks, self.probe.relation(oid), mode)
        now = self.probe.nodes()
        for oid, old in nodes.items():
            if oid in self.probe.known and oid in now and now[oid][3] != old[3]:
                record.rewrites.append(self._compared.name(oid))
        after = self._look()
        if before is not None and after is not None:
            record.wal = after.wal - before.wal
        if BUILDS.search(record.sql):  # its counters are the server's own already
            record.scans = sorted(
                {lock["relation"] for lock in record.locks if lock["kind"] == "table"}
            )
        self._last = None
        self._tell(record)
        return result

    def _on_sqlite(self, record: Record, execute: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            result = execute()
        except Exception as error:
            record.error = _first_line(error)
            self.emit(record.document())
            raise
        record.seconds = time.monotonic() - began
        remade = re.search(r'INSERT INTO\s+"?(?:new__|_alembic_tmp_)(\w+)"?', record.sql, re.I)
        if remade:
            record.rewrites, record.scans = [remade[1]], [remade[1]]
        self.everything_touched = True
        self._tell(record)
        return result

    def _tell(self, record: Record) -> None:
        reading = record.sql.lstrip()[:6].upper() in ("SELECT", "WITH", "PRAGMA")
        if CATALOGUE.search(record.sql) and reading:
            return
        self.touched |= {lock["was"] for lock in record.locks} | acted_on(record)
        if reaches_far(record.sql):
            self.everything_touched = True
        self.emit(record.document())

    def _look(self, before: bool = False) -> Snapshot | None:
        """Look at the session; before a statement with the counters of all relations.

        What a transaction has counted, it holds a lock on: the counters of all others are still
        those of its first look.
        """
        assert self.probe is not None and self.session is not None
        first = self._counted
        if not before or first is None or self.session.status != "open":
            found = self.probe.snapshot(self.session, before)
            self._counted = found if before else first
            return found
        now = self.probe.snapshot(self.session)
        if now is None:
            return None
        if now.transaction != first.transaction:
            again = self.probe.snapshot(self.session, True)
            self._counted = again
            now.counts = again.counts if again else {}
        else:
            now.counts = first.counts
        return now

    def _unseen(self, now: Snapshot) -> None:
        """Tell what ran since the last look without passing a hook."""
        assert self._past is not None
        found = self._past.since(self._last, now, self._record)
        for record in found:
            self.emit(record.document())
            self.touched |= {lock["was"] for lock in record.locks}
        if any(record.seen == NOTED for record in found):
            self.everything_touched = True
            self._last = None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def frame_line(path: str) -> int:
    """Return the line of `path` that is being run right now, or 0."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == path:
            return int(frame.f_lineno)
        frame = frame.f_back
    return 0
