"""Looks at a statement that may not run inside a transaction, from a connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


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
