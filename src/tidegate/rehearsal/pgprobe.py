"""What a statement does at a PostgreSQL server, read on its own session before and after it.

Three layers. The snapshot reads the session's own locks, file nodes, scan and row counters and
the WAL position. Event triggers note DDL that no hook sees (raw cursors, DO blocks), with the
locks held at its end. A watcher on a connection of its own looks at statements that may not run
inside a transaction: it stops them at the lock that they ask for by holding one against them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.databases import pgclasses, pgschema
from tidegate.rehearsal.pglooks import COUNTS, NODES, SETUP, SNAPSHOT
from tidegate.rehearsal.session import AppSession
from tidegate.rehearsal.watching import Watcher

KINDS = {"r": "table", "p": "table", "m": "materialized view", "v": "view", "i": "index",
         "I": "index", "S": "sequence", "f": "foreign table"}  # fmt: skip
WAITS_FOR_WRITERS = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


@dataclass(slots=True)
class Relation:
    """One relation as a snapshot saw it."""

    oid: int
    schema: str
    name: str
    kind: str
    node: int
    table: int  # of an index
    modes: frozenset[str] = frozenset()
    counts: tuple[int, ...] = (0, 0, 0, 0, 0)  # scans, rows read, inserted, updated, deleted

    @property
    def shown(self) -> str:
        """The name as people write it."""
        return pgschema.shown(self.schema, self.name)


@dataclass(slots=True)
class Seen:
    """One event that an event trigger noted."""

    id: int
    tag: str
    kind: str
    identity: str
    query: str
    locks: list[tuple[int, str]]
    relation: int


@dataclass(slots=True)
class Snapshot:
    """The session at one moment."""

    relations: dict[int, Relation] = field(default_factory=dict)
    wal: int = 0
    transaction: str = ""
    seen: list[Seen] = field(default_factory=list)
    counts: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def counted(self, oid: int) -> tuple[int, ...]:
        """Return a relation's counters, whether the session holds a lock on it or not."""
        if oid in self.relations:
            return self.relations[oid].counts
        return self.counts.get(oid, (0,) * 5)


class PostgresProbe:
    """Looks at one scratch database, on the migration's session and from beside it."""

    vendor = "postgresql"

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.side = connect()
        for sql in SETUP:
            self.side.query(sql)
        self.since = 0
        self.known: Mapping[int, tuple[str, str, str, int, int]] = {}
        self._nodes: dict[int, int] = {}

    def begin(self) -> None:
        """Note which relations there are: those that come later are nobody's yet."""
        self.known = pgschema.as_mapping(self.side.query(pgschema.RELATIONS))

    def refresh(self, session: AppSession | None) -> None:
        """Note the file of each relation, as the session sees it: earlier steps made new ones."""
        own = session is not None and session.status != "failed"
        rows = session.run(NODES) if session and own else self.side.query(NODES)
        found = json.loads(str(rows[0][0] or "{}"))
        self._nodes = {int(oid): node for oid, node in found.items()}

    def must_watch(self, sql: str) -> bool:
        """Whether it refuses to run in a transaction, and is watched from beside."""
        return pgclasses.is_outside(sql)

    def snapshot(self, session: AppSession, before: bool = False) -> Snapshot | None:
        """Read the session; None where it can't be asked (its transaction has failed)."""
        if session.status == "failed":
            return None
        counts = COUNTS if before else "NULL"
        raw = session.run(SNAPSHOT.format(since=self.since, counts=counts))[0][0]
        found = json.loads(str(raw))
        seen = [Seen(row[0], row[1] or "", row[2], row[3] or "", row[4] or "",
                     [(int(a), b) for a, b in row[5] or []], row[6] or 0)
                for row in found["seen"] or []]  # fmt: skip
        if seen:
            self.since = seen[-1].id
        relations = {row[0]: self._relation(row) for row in found["relations"] or []}
        if before:
            self._nodes.update({oid: one.node for oid, one in relations.items()})
        return Snapshot(relations, found["wal"] or 0, found["transaction"] or "", seen,
                        {row[0]: tuple(row[1:]) for row in found["counts"] or []})  # fmt: skip

    def _relation(self, row: list[Any]) -> Relation:
        oid = row[0]
        known = self.known.get(oid, ("", f"relation {oid}", "", 0, 0))
        return Relation(
            oid,
            row[2] or known[0],
            row[3] or known[1],
            row[4] or known[2],
            row[5],
            row[6] or known[4],
            frozenset(row[1]),
            tuple(number or 0 for number in row[7:12]),
        )

    def node_before(self, oid: int, before: Snapshot) -> int:
        """Return the file node that a relation had."""
        if oid in before.relations:
            return before.relations[oid].node
        return self._nodes.get(oid, 0)

    def relation(self, oid: int) -> Relation | None:
        """Return a relation that was there before."""
        if oid not in self.known:
            return None
        schema, name, kind, node, table = self.known[oid]
        return Relation(oid, schema, name, kind, node, table)

    def watch(self, sql: str, pid: int, execute: Callable[[], Any]) -> tuple[Any, set[Any]]:
        """Run a statement that can't be in a transaction; return its result and (oid, mode)s."""
        watcher = Watcher(self._connect, pid, bool(WAITS_FOR_WRITERS.search(sql)))
        watcher.start(list(self.known))
        try:
            return execute(), watcher.locks
        finally:
            watcher.stop()

    def nodes(self) -> Mapping[int, tuple[str, str, str, int, int]]:
        """Return all relations as they are committed now."""
        return pgschema.as_mapping(self.side.query(pgschema.RELATIONS))
