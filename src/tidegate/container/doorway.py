"""What each statement passes through while steps are applied: its lock budget, and its journal.

The budget goes by what a statement asks of the locks (`pgclasses`). A statement that is a
transaction of its own is asked for again in its place; any other takes its whole step with it,
which is for `persisting`. In a step that is not one transaction, what changes the schema is
written down (`parts`), so that the next run goes on where this one ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidegate.container.parts import Parts
from tidegate.container.patience import Patience
from tidegate.databases import pgclasses, pgindexes, pgonline
from tidegate.databases.pgclasses import BLOCKING, CONTROL, ROWS
from tidegate.errors import ElectionNotWon
from tidegate.model.plan import digest
from tidegate.model.sessions import AppSession
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate

Execute = Callable[[], Any]


class Doorway:
    """The door of one run of steps on PostgreSQL."""

    def __init__(self, patience: Patience, parts: Parts) -> None:
        self.patience = patience
        self.parts = parts
        self._say = patience.raising.report.stage
        self._stage = patience.stage
        self._step = ""
        self._atomic = True
        self._holding = False
        self._wrote = False
        self._own_limit = False
        self._limits: dict[int, float] = {}
        self._all_forms = patience.raising.forms
        self._forms: Mapping[str, list[list[str]]] = {}
        self._instead = ""

    @property
    def may_repeat(self) -> bool:
        """Whether the running step may be begun anew although it is not one transaction."""
        return self.parts.on and not self._wrote

    def begin(self, step: str, atomic: bool) -> bool:
        """A step begins."""
        self._step, self._atomic, self._wrote, self._own_limit = step, atomic, False, False
        self._forms = self._all_forms.get(step, {})
        if not atomic or self._forms:
            self.parts.begin(step)
            if self._forms and self.parts.on:
                self._atomic = False
            elif self._forms:
                self._forms = {}
                self._say(self._stage, step, "its online forms need a table of tidegate's, which "
                          "this role can't make: run as it is")  # fmt: skip
        return self._atomic

    def call(self, session: AppSession, sql: str, execute: Execute) -> Any:
        """Have one statement executed."""
        self._instead = ""
        lock_class = pgclasses.lock_class(sql)
        if pgclasses.sets_own_limit(sql):
            self._own_limit = True
        if lock_class == CONTROL or not self._step:
            return execute()
        if session.status == "idle":
            self._holding = False
        if self._forms and (lock_class != ROWS or digest(sql) in self._forms):
            with pgonline.apart(session):
                return self._formed(session, sql, lock_class, execute)
        return self._plainly(session, sql, lock_class, execute)

    def sent(self, sql: str) -> str:
        """Return the form that the last statement was sent in."""
        return self._instead or sql

    def _plainly(self, session: AppSession, sql: str, lock_class: str, execute: Execute) -> Any:
        if lock_class == ROWS or self._atomic or not self.parts.on:
            asks = BLOCKING if lock_class == ROWS and pgclasses.hides_ddl(sql) else lock_class
            result = self._asked(session, asks, execute)
            self._wrote |= lock_class == ROWS and not pgclasses.only_reads(sql)
            return result
        return self._part(session, sql, lock_class, execute)

    def _formed(self, session: AppSession, sql: str, lock_class: str, execute: Execute) -> Any:
        """Run the form of a statement in place of it: group by group, each written down."""
        groups = self._forms.get(digest(sql))
        if not groups:
            return self._plainly(session, sql, lock_class, execute)
        self._instead = "; ".join(one for group in groups for one in group)
        for group in groups:
            shown = "; ".join(group)
            self._say(self._stage, self._step, f"online: {' '.join(shown.split())[:100]}")

            def send(group: list[str] = group) -> None:
                for one in group:
                    session.run(one)

            self._part(session, shown, pgclasses.lock_class(shown), send)
        return None

    def _asked(self, session: AppSession, lock_class: str, execute: Execute) -> Any:
        """Execute it within its budget; again, where nothing else hangs on it."""
        alone = session.autocommit and session.status == "idle"
        while True:
            try:
                return self._once(session, lock_class, execute)
            except Exception as error:
                if not (alone and self._is_worth_asking_again(error)):
                    raise

    def _is_worth_asking_again(self, error: Exception) -> bool:
        return sqlstate(error) == LOCK_REFUSED and self.patience.again(self._step)

    def _once(self, session: AppSession, lock_class: str, execute: Execute) -> Any:
        limit = self._bound(session, lock_class)
        with self.patience.sending(self._step, limit):
            result = execute()
        if lock_class == BLOCKING and session.status == "open":
            self._holding = True  # what comes now keeps others waiting for its own wait as well
        return result

    def _bound(self, session: AppSession, lock_class: str) -> float:
        """Give the session the statement's limit."""
        limit = self.patience.limit(lock_class, self._holding)
        known = self._limits.get(id(session.raw))
        if not self.patience.ceiling or self._own_limit or session.status == "failed":
            return limit
        if lock_class == BLOCKING or limit != known:  # a savepoint taken back takes back a SET
            session.run(f"SET lock_timeout = {int(limit * 1000)}")
            self._limits = {id(session.raw): limit}
        return limit

    # A step that is not one transaction

    def _part(self, session: AppSession, sql: str, lock_class: str, execute: Execute) -> Any:
        """Execute a change of the schema and write it down; leave it out when it is done."""
        mark = self.parts.mark(sql)
        if self.parts.state(mark) == "done":
            self._left_out(sql)
            return None
        if pgclasses.is_outside(sql):
            return self._outside(session, sql, mark, lock_class, execute)
        self.parts.check(session.run)
        if not (session.autocommit and session.status == "idle"):
            result = self._once(session, lock_class, execute)
            self.parts.note(session.run, mark, "done")
            return result
        before = self.parts.before(session.run, sql)
        while True:
            session.run("BEGIN")
            try:
                result = self._once(session, lock_class, execute)
                self.parts.note(session.run, mark, "done", before)
                session.run("COMMIT")
                return result
            except BaseException as error:
                self._take_back(session)
                if not isinstance(error, Exception) or not self._is_worth_asking_again(error):
                    raise
            finally:
                self._holding = False

    def _take_back(self, session: AppSession) -> None:
        try:
            session.run("ROLLBACK")
        except Exception:
            pass  # the session is gone, and its transaction with it

    def _left_out(self, sql: str) -> None:
        shown = " ".join(sql.split())[:80]
        self._say(self._stage, self._step, f"done by an earlier run, left out: {shown}")

    def _outside(
        self, session: AppSession, sql: str, mark: str, lock_class: str, execute: Execute
    ) -> Any:
        """Execute what the server runs in no transaction: look first what became of it before."""
        begun = self.parts.state(mark) == "begun"
        work = pgclasses.concurrent_index(sql)
        if work is not None and session.status == "idle":
            found = pgindexes.look(session.run, work)
            if found is not None and not found.valid and work.makes:
                self._drop(session, found)
            elif begun and (found is not None) == work.makes:
                self.parts.settle()
                self.parts.note(session.run, mark, "done")
                self._left_out(sql)
                return None
        if begun and work is None:
            self.parts.settle()
        self.parts.check(session.run)
        if session.autocommit and session.status == "idle":
            self.parts.note(session.run, mark, "begun")
        result = self._asked(session, lock_class, execute)
        self.parts.note(session.run, mark, "done")
        return result

    def _drop(self, session: AppSession, found: pgindexes.Index) -> None:
        """Drop what a failed build has left, unless somebody builds it right now."""
        while session.run(pgindexes.builders(found)):
            if not self.patience.again(self._step):
                raise ElectionNotWon(
                    f"index {found.name} is INVALID, and another session works on its table",
                    "It may be building that very index.",
                    "look at it in pg_stat_progress_create_index, and start again after it",
                )
        self._say(
            self._stage, self._step, f"dropping index {found.name}: a failed build left it INVALID"
        )
        self._asked(
            session,
            pgclasses.CONCURRENT,
            lambda: session.run(f"DROP INDEX CONCURRENTLY IF EXISTS {found.name}"),
        )
