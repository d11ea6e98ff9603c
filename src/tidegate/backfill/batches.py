"""The statements of a backfill: a range of the key, with the note of how far that is."""

from __future__ import annotations

import time
from collections.abc import Callable

from tidegate.backfill.session import Session
from tidegate.backfill.state import NOTES, State, kind_of, quoted
from tidegate.model.sqlstate import sqlstate

AGAIN = ("40001", "40P01", "55P03")  # serialization, deadlock, lock timeout: another attempt helps


class Batch:
    """The statements of one backfill."""

    def __init__(self, session: Session, table: str, set: str, where: str, key: str) -> None:
        self.session = session
        self.table, self.set, self.where, self.key = table, set, where, key

    def bound(self, state: State) -> object:
        """Return the last key of the next batch; None at the end of the table."""
        rows = self.session.run(self._ahead(state))
        return rows[0][0] if rows else self._last(state)

    def _ahead(self, state: State) -> str:
        return f"SELECT {self.key} {self._order(state)} LIMIT 1 OFFSET {state.size - 1}"

    def _last(self, state: State) -> object:
        rows = self.session.run(f"SELECT {self.key} {self._order(state)} DESC LIMIT 1")
        return rows[0][0] if rows else None

    def _order(self, state: State) -> str:
        above = "" if state.last is None else f"WHERE {self.key} > {quoted(state.last)} "
        return f"FROM {self.table} {above}ORDER BY {self.key}"

    def _update(self, state: State, bound: object) -> str:
        above = "" if state.last is None else f"{self.key} > {quoted(state.last)} AND "
        also = f" AND ({self.where})" if self.where else ""
        upto = f"{self.key} <= {quoted(bound)}"
        return f"UPDATE {self.table} SET {self.set} WHERE {above}{upto}{also}"

    def _note(self, state: State, bound: object, count: str) -> str:
        return (
            f"UPDATE {NOTES} SET last = {quoted(str(bound))}, kind = {quoted(kind_of(bound))}, "
            f"done = done + {count}, seconds = {state.seconds:.3f} "
            f"WHERE name = {quoted(state.name)}"
        )

    def run(self, state: State, bound: object) -> None:
        """Write one batch and how far that is, in one transaction."""
        session = self.session
        session.run("BEGIN")
        try:
            count = session.update(self._update(state, bound))
            session.run(self._note(state, bound, str(count)))
            session.run("COMMIT")
        except BaseException:
            session.roll_back()
            raise
        state.rows += count
        state.batches += 1
        state.last = bound


class OneTrip(Batch):
    """PostgreSQL's: a batch with its note is one trip, the next bound with the count another."""

    def bound(self, state: State) -> object:
        """Return the last key of the next batch, and take in what the last one wrote."""
        row = self.session.run(
            f"SELECT ({self._ahead(state)}), (SELECT done FROM {NOTES} "
            f"WHERE name = {quoted(state.name)}), {self.session.pressure}"
        )[0]
        state.rows = int(str(row[1]))
        self.session.take(row[2:])
        return row[0] if row[0] is not None else self._last(state)

    def run(self, state: State, bound: object) -> None:
        """Write one batch and how far that is: a DO block is a transaction of its own."""
        self.session.run(
            "DO $tidegate$ DECLARE written bigint; BEGIN "
            f"EXECUTE $tidegate_batch${self._update(state, bound)}$tidegate_batch$; "
            "GET DIAGNOSTICS written = ROW_COUNT; "
            f"{self._note(state, bound, 'written')}; END $tidegate$"
        )
        state.batches += 1
        state.last = bound


def patiently(
    batch: Batch, state: State, bound: object, least: int, tell: Callable[[State], None]
) -> float:
    """Run one batch; another attempt, smaller, where others were in the way."""
    pause = 0.1
    while True:
        began = time.monotonic()
        try:
            batch.run(state, bound)
            state.waiting = ""
            return time.monotonic() - began
        except Exception as error:
            if sqlstate(error) not in AGAIN:
                raise
            state.waiting = "another session holds rows of the next batch"
            tell(state)
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
            state.size = max(least, state.size // 2)
            bound = batch.bound(state)


def prepare(session: Session) -> None:
    """Make the table that keeps how far each run got; refuse where no batch could be committed."""
    session.refuse_transaction()
    session.run(
        f"CREATE TABLE IF NOT EXISTS {NOTES} (name text PRIMARY KEY, last text, kind text, "
        "done bigint NOT NULL, seconds double precision NOT NULL, finished integer NOT NULL)"
    )


def resume(session: Session, state: State) -> None:
    """Read how far an earlier run got; a finished one is not done again."""
    rows = session.run(
        f"SELECT last, kind, done, seconds, finished FROM {NOTES} WHERE name = {quoted(state.name)}"
    )
    if not rows:
        session.run(f"INSERT INTO {NOTES} VALUES ({quoted(state.name)}, NULL, NULL, 0, 0, 0)")
        return
    last, kind, done, seconds, finished = rows[0]
    state.last = int(str(last)) if kind == "int" and last is not None else last
    state.rows, state.seconds = int(str(done)), float(str(seconds))
    state.finished = str(finished) == "1"


def factor(target: float, took: float) -> float:
    """Return by how much the next batch is larger: at most twice, at least half."""
    return min(2.0, max(0.5, target / max(took, 0.001)))
