"""Fill a column of a large table in batches that commit, from a migration or by itself.

    from tidegate.backfill import backfill

    backfill(connection, "shop_order", set="total = price * qty", where="total IS NULL")

`connection` is Django's (`schema_editor.connection`, in a migration with `atomic = False`),
SQLAlchemy's (`op.get_bind()` inside `autocommit_block()`), or an SQLAlchemy Engine. Each batch is
a range of the primary key in a transaction of its own, together with the note of how far it got:
a process that is killed goes on at the last batch that was committed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tidegate.backfill.batches import Batch, OneTrip, factor, patiently, prepare, resume
from tidegate.backfill.progress import Line
from tidegate.backfill.session import BackfillRefused, Session, session_of
from tidegate.backfill.state import NOTES, State, named, quoted

__all__ = ["BackfillRefused", "State", "backfill", "forget"]

VACUUMS = 15  # over the whole table: dead rows are used again instead of making it grow
PAUSE = 0.5
Progress = Callable[[State], None]


def backfill(
    connection: Any,
    table: str,
    *,
    set: str,
    where: str = "",
    key: str = "id",
    name: str = "",
    target: float = 0.03,
    least: int = 100,
    most: int = 50_000,
    rest: float = 0.0,
    max_lag: float = 10.0,
    max_active: int = 0,
    lock_timeout: float = 2.0,
    vacuum: bool = True,
    progress: Progress | None = None,
) -> State:
    """Run `UPDATE table SET set WHERE where`, a range of `key` at a time; return how it went.

    `set` and `where` are SQL. `target` is the seconds that a batch shall take: its size follows.
    After each, it rests `rest` times as long as the batch took. It waits while a replica is more
    than `max_lag` seconds behind, and while more than `max_active` sessions of the server are at
    work, where that is given. `name` names the run, for going on with it: by default the table and
    what is set.
    """
    with session_of(connection) as session:
        state = State(name or named(table, set), size=max(least, 1000))
        prepare(session)
        resume(session, state)
        if state.finished:
            return state
        state.total = session.estimate(table)
        tell = progress or Line()
        kind = OneTrip if session.vendor == "postgresql" else Batch
        ordinary = kind(session, table, set, where, key)
        began, before, vacuumed = time.monotonic(), state.seconds, state.rows
        with session.limited(lock_timeout):
            session.watches_load = max_active > 0
            while (bound := ordinary.bound(state)) is not None:
                _wait(session, state, max_lag, max_active, tell)
                took = patiently(ordinary, state, bound, least, tell)
                state.seconds = before + time.monotonic() - began
                state.size = int(min(most, max(least, state.size * factor(target, took))))
                tell(state)
                if vacuum and state.total and state.rows - vacuumed > state.total / VACUUMS:
                    session.vacuum(table)
                    vacuumed = state.rows
                time.sleep(took * rest)
        state.finished = True
        session.run(f"UPDATE {NOTES} SET finished = 1 WHERE name = {quoted(state.name)}")
        tell(state)
        return state


def _wait(session: Session, state: State, lag: float, active: int, tell: Progress) -> None:
    """Wait while a replica is too far behind, or too many others are at work."""
    while why := session.too_much(lag, active):
        state.waiting = why
        tell(state)
        time.sleep(PAUSE)
        session.look()
    state.waiting = ""


def forget(connection: Any, table: str, *, set: str = "", name: str = "") -> None:
    """Forget how far a backfill got, so that it runs anew: for the way back of its migration.

    Takes the same `table`, `set` and `name`. It may stand in a transaction.
    """
    with session_of(connection, in_transaction=True) as session:
        there = "sqlite_master" if session.vendor == "sqlite" else "information_schema.tables"
        column = "name" if session.vendor == "sqlite" else "table_name"
        if session.run(f"SELECT 1 FROM {there} WHERE {column} = {quoted(NOTES)}"):
            session.run(f"DELETE FROM {NOTES} WHERE name = {quoted(name or named(table, set))}")
