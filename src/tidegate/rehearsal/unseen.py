"""What ran between two looks without passing a hook: noted by event triggers, or by counters."""

from __future__ import annotations

import re
from collections.abc import Callable

from tidegate.rehearsal.comparing import Comparing
from tidegate.rehearsal.pgprobe import PostgresProbe, Seen, Snapshot
from tidegate.rehearsal.record import Record

NOTED, COUNTED = "event trigger", "counters"
Make = Callable[[str], Record]  # a record of the step and the line that run now


class Unseen:
    """Finds it. `books` matches the framework's own table, which is made before its first step."""

    def __init__(self, probe: PostgresProbe, books: re.Pattern[str]) -> None:
        self._probe = probe
        self._compared = Comparing(probe)
        self._books = books

    def since(self, last: Snapshot | None, now: Snapshot, make: Make) -> list[Record]:
        """Return records of it; rows are only counted where no trigger has noted anything."""
        noted = self._noted(last, now, make)
        if noted or last is None or last.transaction != now.transaction:
            return noted
        return self._counted(last, now, make)

    def _noted(self, last: Snapshot | None, now: Snapshot, make: Make) -> list[Record]:
        told: dict[str, Record] = {}
        for seen in now.seen:
            if self._books.search(seen.query):
                continue
            record = told.get(seen.query)
            if record is None:
                record = told[seen.query] = self._hidden(seen, last, make)
            if seen.kind == "rewrite" and seen.relation in self._probe.known:
                record.rewrites.append(self._compared.name(seen.relation))
        return list(told.values())

    def _hidden(self, seen: Seen, last: Snapshot | None, make: Make) -> Record:
        record = make(seen.query)
        record.seen, record.blind = NOTED, "ran past the framework; its time can't be seen"
        held = last.relations if last else {}
        for oid, mode in seen.locks:
            if oid not in held or mode not in held[oid].modes:
                self._compared.lock(record.locks, self._probe.relation(oid), mode)
        return record

    def _counted(self, last: Snapshot, now: Snapshot, make: Make) -> list[Record]:
        found = []
        for oid, one in now.relations.items():
            if self._books.search(one.name) or oid not in self._probe.known:
                continue
            was = last.relations.get(oid)
            before = was.counts if was else (0,) * 5
            grown = [a - b for a, b in zip(one.counts, before, strict=True)][2:]
            if not any(number > 0 for number in grown):
                continue
            record = make("(rows written past the framework: COPY or a raw cursor)")
            record.seen, record.transaction = COUNTED, now.transaction
            record.blind = "the statement itself can't be seen"
            record.written[self._compared.name(oid)] = [max(0, number) for number in grown]
            for mode in sorted(one.modes - (was.modes if was else frozenset())):
                self._compared.lock(record.locks, one, mode)
            found.append(record)
        return found
