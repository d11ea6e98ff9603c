"""Rehearse with an observer: a connection of another process' kind that looks on its own.

usage: python observed.py JOB

Run as a process, as the rehearsal itself is. After each statement, while its transaction is still
open, the observer reads pg_locks of the migration's server process; after each step it reads
which tables got another file and which were scanned. All goes to standard output, one JSON a line,
beside the rehearsal's own events.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import psycopg

from tidegate import discovery
from tidegate.rehearsal import trace
from tidegate.rehearsal.rehearse import Rehearsal

LOCKS = (
    "SELECT relation::bigint, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' "
    "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
TABLES = (
    "SELECT c.oid::bigint, c.relname, c.relkind::text, coalesce(pg_relation_filenode(c.oid), 0), "
    "coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid WHERE n.nspname = 'public' AND "
    "c.relname NOT IN ('django_migrations', 'alembic_version')"
)


class Observer:
    """Looks at the server with a driver, and shares nothing with the tracer."""

    def __init__(self, url: str, emit: Any) -> None:
        self.session = psycopg.connect(url, autocommit=True)
        self.emit = emit
        rows = self.session.execute(TABLES).fetchall()
        self.there = {row[0]: row[1] for row in rows}
        self.last = {row[0]: row for row in rows}

    def statement(self, step: str, sql: str, pid: int) -> None:
        rows = self.session.execute(LOCKS, [pid]).fetchall()
        locks = sorted({(self.there[oid], mode) for oid, mode in rows if oid in self.there})
        self.emit({"event": "observed", "step": step, "sql": sql, "locks": locks})

    def baseline(self) -> None:
        self.last = {row[0]: row for row in self.session.execute(TABLES).fetchall()}

    def step(self, step: str) -> None:
        now = {row[0]: row for row in self.session.execute(TABLES).fetchall()}
        both = [oid for oid in now if oid in self.last and oid in self.there]
        rewritten = [self.there[oid] for oid in both if now[oid][3] != self.last[oid][3]]
        scanned = [self.there[oid] for oid in both if now[oid][4] > self.last[oid][4]]
        self.emit({"event": "step-observed", "step": step, "rewrites": sorted(rewritten),
                   "scans": sorted(scanned)})  # fmt: skip


def main() -> None:
    job = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def emit(event: dict[str, Any]) -> None:
        out.write(json.dumps(event, default=str) + "\n")
        out.flush()

    rehearsal = Rehearsal(discovery.find_project(Path(job["root"]), os.environ), emit)
    rehearsal.point(job)
    rehearsal.build(job)
    observer = Observer(job["url"], emit)
    tell, finish, begin = trace.Tracer._tell, trace.Tracer.finish, trace.Tracer.begin

    def told(tracer: Any, record: Any) -> None:
        if tracer.session.status == "open":
            pid = int(tracer.session.run("SELECT pg_backend_pid()")[0][0])
            observer.statement(tracer.step, record.sql, pid)
        tell(tracer, record)

    def hand_over(session: Any) -> None:
        """Let the session give its counters to the server, as it does once a second."""
        if session is not None:
            session.run("SELECT pg_stat_force_next_flush()")
            if not session.autocommit:
                session.raw.rollback()

    def began(tracer: Any, step: str) -> None:
        begin(tracer, step)
        hand_over(tracer.session)
        observer.baseline()

    def finished(tracer: Any) -> None:
        step = tracer.step
        finish(tracer)
        hand_over(tracer.session)
        observer.step(step)

    trace.Tracer._tell, trace.Tracer.finish = told, finished  # type: ignore[method-assign]
    trace.Tracer.begin = began  # type: ignore[method-assign]
    rehearsal.perform(job)


if __name__ == "__main__":
    main()
