"""What a statement took, rewrote, scanned and wrote: the looks before and after it, compared."""

from __future__ import annotations

from typing import Any

from tidegate.model.blocker import MODES
from tidegate.rehearsal.pgprobe import KINDS, PostgresProbe, Relation, Snapshot
from tidegate.rehearsal.record import Record
from tidegate.rehearsal.textual import scans_for_ddl, strength, strongest, validates

HELD_FROM = "ROW SHARE"  # weaker locks are held by every reader, and not worth a line


class Comparing:
    """Compares looks, and names relations as the target does."""

    def __init__(self, probe: PostgresProbe) -> None:
        self._probe = probe

    def compare(self, record: Record, before: Snapshot, after: Snapshot) -> None:
        """Fill in what the statement took, rewrote, scanned and wrote."""
        record.transaction = after.transaction
        record.wal = max(0, after.wal - before.wal)
        for oid, now in sorted(after.relations.items()):
            was = before.relations.get(oid)
            for mode in sorted(now.modes - (was.modes if was else frozenset())):
                self.lock(record.locks, now, mode)
            self._work_on(record, now, before)
        for one in before.relations.values():
            for mode in one.modes:
                if strength(mode) >= list(MODES.values()).index(HELD_FROM):
                    self.lock(record.held, one, mode)
        record.held = strongest(record.held)
        for seen in after.seen:
            if seen.kind == "rewrite" and seen.relation in self._probe.known:
                name = self.name(seen.relation)
                record.rewrites += [name] if name not in record.rewrites else []

    def _work_on(self, record: Record, now: Relation, before: Snapshot) -> None:
        if now.oid not in self._probe.known:
            return
        name = self.name(now.oid)
        # DROP takes the file away as well: a rewrite puts another in its place.
        old = self._probe.node_before(now.oid, before)
        if now.node and old and now.node != old:
            record.rewrites.append(name)
        scans, read, ins, upd, dele = (
            a - b for a, b in zip(now.counts, before.counted(now.oid), strict=True)
        )
        table = self._probe.known[now.oid][2] in "rpm"
        if scans > 0 and table and scans_for_ddl(record.sql):
            record.scans.append(name)
        if read > 0 and table:
            record.read[name] = read
        if table and (ins > 0 or upd > 0 or dele > 0):
            record.written[name] = [max(0, ins), max(0, upd), max(0, dele)]
        if not table and scans > 0 and now.table in self._probe.known and validates(record.sql):
            record.scans.append(self.name(now.table))
        record.scans = sorted(set(record.scans))

    def lock(self, out: list[dict[str, Any]], relation: Relation | None, mode: str) -> None:
        """Note a lock on a relation that was there before, once."""
        if relation is None or relation.oid not in self._probe.known or mode not in MODES:
            return
        entry = {
            "mode": MODES[mode],
            "relation": relation.shown,
            "kind": KINDS.get(relation.kind, relation.kind),
            "was": self.name(relation.oid),
        }
        if entry not in out:
            out.append(entry)

    def name(self, oid: int) -> str:
        """Return the name that a relation had when the rehearsal began: the target's name."""
        old = self._probe.relation(oid)
        return old.shown if old else f"relation {oid}"
