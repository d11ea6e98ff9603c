"""Who is in the way of our sessions at a PostgreSQL server.

`pg_blocking_pids()` holds up every lock of the server for a moment, so it is asked once an
attempt, and then only whether the transactions that it named have ended
(https://www.postgresql.org/docs/current/functions-info.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidegate.model.blocker import Blocker

_WHO = """
SELECT b.pid, coalesce(l.virtualtransaction, ''), w.mode,
  coalesce(w.relation::regclass::text, w.locktype), coalesce(a.application_name, ''),
  coalesce(a.usename::text, ''), coalesce(a.state, ''),
  extract(epoch FROM clock_timestamp() - a.xact_start),
  extract(epoch FROM clock_timestamp() - a.query_start),
  coalesce(a.query, ''), coalesce(a.backend_type, '')
FROM (SELECT DISTINCT ON (pid) pid, mode, relation, locktype FROM pg_locks
      WHERE pid IN ({pids}) AND NOT granted) w
CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid)
LEFT JOIN pg_stat_activity a ON a.pid = b.pid
LEFT JOIN pg_locks l ON l.pid = b.pid AND l.locktype = 'virtualxid' AND l.granted
LIMIT 20"""


def who(pids: Sequence[int]) -> str:
    """Return the question who blocks these sessions."""
    return _WHO.format(pids=", ".join(map(str, pids)))


def read(rows: Iterable[Sequence[str | None]]) -> list[Blocker]:
    """Read the answer to `who`; each transaction once."""
    found: dict[tuple[int, str], Blocker] = {}
    for row in rows:
        texts = [column or "" for column in row]
        one = Blocker(
            int(texts[0]), texts[1], texts[2], texts[3], texts[4], texts[5], texts[6],
            float(texts[7]) if texts[7] else None, float(texts[8]) if texts[8] else None,
            texts[9], texts[10],
        )  # fmt: skip
        found.setdefault(one.key, one)
    return list(found.values())


def still(blockers: Sequence[Blocker]) -> str:
    """Return the question how many of these transactions go on; "" where that can't be asked."""
    pairs = ", ".join(f"({one.pid}, '{one.transaction}')" for one in blockers if one.transaction)
    if not pairs:
        return ""
    return (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND granted "
        f"AND (pid, virtualtransaction) IN ({pairs})"
    )


def make_way(relation: str, seconds: float) -> str:
    """Return SQL that asks for a lock which only maintenance and DDL conflict with, for a moment.

    An autovacuum gives up its table when somebody has waited for it for `deadlock_timeout`, which
    is longer than a lock that stops the application may be waited for. This one stops nobody.
    """
    return (
        f"BEGIN; SET LOCAL lock_timeout = {int(seconds * 1000)}; "
        f"LOCK TABLE {relation} IN SHARE UPDATE EXCLUSIVE MODE; ROLLBACK"
    )
