"""A reader and a writer at work while the steps run: how long each of them had to wait.

They go from one row to the next, by its place in the file, so that they need no key and no index.
A table that was dropped or changed so that they can't go on is left alone from then on.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tidegate.databases import pgwire

PAUSE = 0.002  # between two statements of one of them
WARM_UP = 0.2  # seconds without any step: what the machine itself makes them wait
_TABLES = (
    "SELECT n.nspname::text, c.relname::text, c.relpages::text, (SELECT a.attname::text FROM "
    "pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "AND a.attidentity = '' AND a.attgenerated = '' ORDER BY a.attnum DESC LIMIT 1) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND c.relpages > 0 AND n.nspname NOT LIKE 'pg\\_%' "
    "AND n.nspname <> 'information_schema'"
)


@dataclass(slots=True)
class Waits:
    """What one of the two has met. `quiet` is its worst before the steps began."""

    count: int = 0
    quiet: float = 0.0
    seconds: float = 0.0
    table: str = ""
    step: str = ""


class Load:
    """One reader and one writer on some tables of a scratch database."""

    def __init__(
        self, connect: Callable[[], Any], tables: Sequence[str], step: Callable[[], str]
    ) -> None:
        self._connect = connect
        self._step = step
        self._wanted = set(tables)
        self._over = threading.Event()
        self.waits = {"reader": Waits(), "writer": Waits()}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have both at work."""
        threads = [threading.Thread(target=self._work, args=(who,), daemon=True)
                   for who in self.waits]  # fmt: skip
        for one in threads:
            one.start()
        time.sleep(WARM_UP)
        try:
            yield
        finally:
            self._over.set()
            for one in threads:
                one.join(30)

    def document(self) -> dict[str, Any]:
        """Return what both have met."""
        return {who: asdict(waits) for who, waits in self.waits.items()}

    def _work(self, who: str) -> None:
        session = self._connect()
        try:
            session.query("SET lock_timeout = 0; SET session_replication_role = replica")
            statements = self._statements(session, who == "writer")
            while statements and not self._over.is_set():
                table, sql, pages = random.choice(statements)
                try:
                    self._one(session, self.waits[who], table, sql % random.randrange(pages))
                except pgwire.PgError:
                    statements = [one for one in statements if one[0] != table]
                time.sleep(PAUSE)
        except OSError:
            return  # the server is gone: the steps' own session says so
        finally:
            session.close()

    def _one(self, session: Any, waits: Waits, table: str, sql: str) -> None:
        step, began = self._step(), time.monotonic()
        session.query(sql)
        took = time.monotonic() - began
        waits.count += 1
        if not step:
            waits.quiet = max(waits.quiet, took)
        elif took > waits.seconds:
            waits.seconds, waits.table, waits.step = took, table, step

    def _statements(self, session: Any, writes: bool) -> list[tuple[str, str, int]]:
        out = []
        for schema, name, pages, column in session.query(_TABLES):
            shown = name if schema == "public" else f"{schema}.{name}"
            if shown not in self._wanted or column is None:
                continue
            table = f"{_quoted(schema)}.{_quoted(name)}"
            do = f"UPDATE {table} SET {_quoted(column)} = {_quoted(column)}"
            if not writes:
                do = f"SELECT {_quoted(column)} FROM {table}"
            out.append((shown, f"{do} WHERE ctid = '(%d,1)'", int(pages)))
        return out


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'
