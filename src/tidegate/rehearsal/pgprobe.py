"""What a statement does at a PostgreSQL server, read on its own session before and after it.

Three layers. The snapshot reads the session's own locks, file nodes, scan and row counters and
the WAL position. Event triggers note DDL that no hook sees (raw cursors, DO blocks), with the
locks held at its end. A watcher on a connection of its own looks at statements that may not run
inside a transaction: it stops them at the lock that they ask for by holding one against them.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.databases import pgclasses, pgschema
from tidegate.rehearsal.session import AppSession

KINDS = {"r": "table", "p": "table", "m": "materialized view", "v": "view", "i": "index",
         "I": "index", "S": "sequence", "f": "foreign table"}  # fmt: skip
WAITS_FOR_WRITERS = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)

_SNAPSHOT = """
WITH mine AS MATERIALIZED (
  SELECT l.relation AS oid, json_agg(DISTINCT l.mode) AS modes
  FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_catalog.pg_backend_pid()
    AND l.relation >= 16384 GROUP BY 1
), named AS (
  SELECT m.oid, m.modes, n.nspname, c.relname, c.relkind, c.oid IS NULL AS gone,
    coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) AS node, coalesce(i.indrelid, 0) AS of_table
  FROM mine m LEFT JOIN pg_catalog.pg_class c ON c.oid = m.oid
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
)
SELECT pg_catalog.json_build_object(
  'relations', (SELECT json_agg(json_build_array(oid::bigint, modes, nspname, relname, relkind,
      node::bigint, of_table::bigint, pg_stat_get_xact_numscans(oid),
      pg_stat_get_xact_tuples_returned(oid), pg_stat_get_xact_tuples_inserted(oid),
      pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_deleted(oid)))
    FROM named WHERE nspname IS NULL OR nspname NOT IN
      ('pg_toast', 'pg_catalog', 'information_schema', 'tidegate_rehearsal')),
  'counts', {counts},
  'wal', (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
  'transaction', (SELECT virtualtransaction FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'virtualxid' LIMIT 1),
  'seen', (SELECT json_agg(json_build_array(s.id, s.tag, s.kind, s.identity, s.query, s.locks,
      s.relation) ORDER BY s.id) FROM tidegate_rehearsal.seen s WHERE s.id > {since})
)::text
"""

# Counters of committed transactions stay with the session until it hands them over, which it
# does at most once a second: what a statement adds is told from what was there before it.
_COUNTS = """(SELECT json_agg(json_build_array(c.oid::bigint, pg_stat_get_xact_numscans(c.oid),
      pg_stat_get_xact_tuples_returned(c.oid), pg_stat_get_xact_tuples_inserted(c.oid),
      pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid)))
    FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'i', 'm')
      AND (pg_stat_get_xact_numscans(c.oid) > 0 OR pg_stat_get_xact_tuples_inserted(c.oid) > 0
        OR pg_stat_get_xact_tuples_updated(c.oid) > 0
        OR pg_stat_get_xact_tuples_deleted(c.oid) > 0))"""

_NODES = (
    "SELECT json_object_agg(oid::bigint, relfilenode::bigint)::text FROM pg_catalog.pg_class "
    "WHERE oid >= 16384 AND relkind IN ('r', 'm', 'i', 'S')"
)

_SETUP = (
    "CREATE SCHEMA tidegate_rehearsal",
    "CREATE TABLE tidegate_rehearsal.seen (id bigserial PRIMARY KEY, tag text, kind text, "
    "identity text, query text, locks json, relation bigint)",
    "GRANT USAGE ON SCHEMA tidegate_rehearsal TO PUBLIC",
    "GRANT ALL ON ALL TABLES IN SCHEMA tidegate_rehearsal TO PUBLIC",
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA tidegate_rehearsal TO PUBLIC",
    """CREATE FUNCTION tidegate_rehearsal.note() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE held json; one record;
BEGIN
  SELECT json_agg(json_build_array(relation::bigint, mode)) INTO held FROM pg_locks
  WHERE locktype = 'relation' AND granted AND pid = pg_backend_pid() AND relation >= 16384;
  IF TG_EVENT = 'table_rewrite' THEN
    INSERT INTO tidegate_rehearsal.seen (tag, kind, query, locks, relation) VALUES
      (TG_TAG, 'rewrite', current_query(), held, pg_event_trigger_table_rewrite_oid()::bigint);
  ELSIF TG_EVENT = 'sql_drop' THEN
    FOR one IN SELECT * FROM pg_event_trigger_dropped_objects() WHERE original LOOP
      INSERT INTO tidegate_rehearsal.seen (tag, kind, identity, query, locks, relation) VALUES
        (TG_TAG, 'drop', one.object_type || ' ' || one.object_identity, current_query(), held,
         one.objid::bigint);
    END LOOP;
  ELSE
    FOR one IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
      INSERT INTO tidegate_rehearsal.seen (tag, kind, identity, query, locks, relation) VALUES
        (TG_TAG, 'command', one.object_type || ' ' || one.object_identity, current_query(), held,
         one.objid::bigint);
    END LOOP;
  END IF;
END $$""",
    # Runs each statement and takes it back; the numbers of those that fail, with the error.
    """CREATE FUNCTION tidegate_rehearsal.tried(words text[], modes text[])
RETURNS TABLE (place integer, error text) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. coalesce(array_length(words, 1), 0) LOOP
    place := i;
    BEGIN
      IF modes[i] = 'replica' THEN SET LOCAL session_replication_role = replica; END IF;
      EXECUTE words[i];
      RAISE EXCEPTION USING errcode = 'TG000';
    EXCEPTION WHEN SQLSTATE 'TG000' THEN NULL;
      WHEN OTHERS THEN error := SQLERRM; RETURN NEXT;
    END;
  END LOOP;
END $$""",
    "CREATE EVENT TRIGGER tidegate_rehearsal_end ON ddl_command_end "
    "EXECUTE FUNCTION tidegate_rehearsal.note()",
    "CREATE EVENT TRIGGER tidegate_rehearsal_drop ON sql_drop "
    "EXECUTE FUNCTION tidegate_rehearsal.note()",
    "CREATE EVENT TRIGGER tidegate_rehearsal_rewrite ON table_rewrite "
    "EXECUTE FUNCTION tidegate_rehearsal.note()",
    # A step that sets session_replication_role to replica switches ordinary ones off.
    "ALTER EVENT TRIGGER tidegate_rehearsal_end ENABLE ALWAYS",
    "ALTER EVENT TRIGGER tidegate_rehearsal_drop ENABLE ALWAYS",
    "ALTER EVENT TRIGGER tidegate_rehearsal_rewrite ENABLE ALWAYS",
)


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
        for sql in _SETUP:
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
        rows = session.run(_NODES) if session and own else self.side.query(_NODES)
        found = json.loads(str(rows[0][0] or "{}"))
        self._nodes = {int(oid): node for oid, node in found.items()}

    def may_wrap(self, sql: str) -> bool:
        """Whether a statement in autocommit may be put into a transaction of its own."""
        return not (pgclasses.is_outside(sql) or pgclasses.lock_class(sql) == pgclasses.CONTROL)

    def must_watch(self, sql: str) -> bool:
        """Whether it refuses to run in a transaction, and is watched from beside."""
        return pgclasses.is_outside(sql)

    def snapshot(self, session: AppSession, before: bool = False) -> Snapshot | None:
        """Read the session; None where it can't be asked (its transaction has failed)."""
        if session.status == "failed":
            return None
        counts = _COUNTS if before else "NULL"
        raw = session.run(_SNAPSHOT.format(since=self.since, counts=counts))[0][0]
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


class Watcher:
    """Stops a statement at its lock long enough to read it, then lets it go on.

    Against a `CONCURRENTLY` it holds ROW EXCLUSIVE on every table, as a writer does: the
    statement takes its own lock and waits for the writer. Against others it holds ACCESS SHARE,
    and reads the lock that they wait for.
    """

    def __init__(self, connect: Callable[[], Any], pid: int, writer: bool) -> None:
        self.locks: set[tuple[int, str]] = set()
        self._blocker = connect()
        self._reader = connect()
        self._pid = pid
        self._mode = "ROW EXCLUSIVE" if writer else "ACCESS SHARE"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self, oids: list[int]) -> None:
        """Take the locks, then begin to look."""
        names = self._blocker.query(
            "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND "
            "n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidegate_rehearsal', "
            "'pg_toast')"
        )[0][0]
        if names:
            self._blocker.query(f"BEGIN; LOCK TABLE {names} IN {self._mode} MODE")
        self._thread.start()

    def _look(self) -> None:
        let_go = False
        while not self._done.is_set():
            rows = self._reader.query(
                "SELECT coalesce(relation, 0)::bigint, mode, granted, locktype FROM pg_locks "
                f"WHERE pid = {self._pid}"
            )
            waiting = any(row[2] == "f" for row in rows)
            self.locks |= {(int(row[0]), row[1]) for row in rows if row[3] == "relation" and row[1]}
            if waiting and not let_go:
                let_go = True
                self._blocker.query("ROLLBACK")
            time.sleep(0.0005 if let_go else 0.002)

    def stop(self) -> None:
        """End both connections."""
        self._done.set()
        self._thread.join(10)
        self._blocker.close()
        self._reader.close()
