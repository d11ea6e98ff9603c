"""The ledger: the tables `tidegate_run` and `tidegate_step` in the database itself.

Created on first need by whoever holds the election, widened by later versions column by column,
and never in the way: without the permission we work without it, and say so once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tidegate._version import __version__
from tidegate.container import chain
from tidegate.container.origin import origin
from tidegate.contracts.database import Rows, TableMissing
from tidegate.model.readiness import Permanent, Transient
from tidegate.model.sqlstate import LOCK_REFUSED, sqlstate
from tidegate.model.step import Step

RUN = {
    "id": "text PRIMARY KEY",
    "plan": "text",
    "state": "text NOT NULL",
    "database": "text",
    "framework": "text",
    "started": "TIME NOT NULL",
    "finished": "TIME",
    "seconds": "double precision",
    "by": "text",
    "host": "text",
    "pid": "integer",
    "revision": "text",
    "image": "text",
    "backup": "text",
    "message": "text",
    # since 0.2
    "kind": "text",
    "fingerprint": "text",
    "container": "text",
    "ci": "text",
    "agent": "text",
    "version": "text",
    "level_before": "text",
    "level_after": "text",
    "number": "bigint",
    "previous": "text",
    "hash": "text",
}
STEP = {
    "run": "text NOT NULL",
    "step": "text NOT NULL",
    "digest": "text",
    "state": "text NOT NULL",
    "seconds": "double precision",
    "finished": "TIME",
    # since 0.2
    "position": "integer",
    "statements": "integer",
    "sql": "text",
    "locks": "text",
    "retries": "integer",
}
TABLES = {"tidegate_run": RUN, "tidegate_step": STEP}
VIEW = """\
CREATE VIEW tidegate_history AS
SELECT r.number, r.id AS run, r.kind, r.state, r.database, r.started, r.finished, r.seconds,
       r."by", r.host, r.container, r.ci, r.agent, r.revision, r.image, r.backup, r.message,
       s.position, s.step, s.state AS step_state, s.seconds AS step_seconds, s.statements,
       s.retries, s.locks, s.sql
FROM tidegate_run r LEFT JOIN tidegate_step s ON s.run = r.id"""
KILLED = ("abandoned", "running")  # states of a run whose process died, for who holds the election
MOST_STATEMENTS = 100  # of one step are kept with their text

Query = Callable[[str], Rows]
Unwritten = (Transient, Permanent, TableMissing)


@dataclass(slots=True)
class Record:
    """What is known of one step of a run: its statements without values, its locks, its retries."""

    step: Step
    seconds: float
    statements: Sequence[tuple[str, float]] = ()
    locks: Sequence[tuple[str, str]] = ()
    retries: int = 0
    state: str = "done"
    waits: Sequence[Mapping[str, object]] = ()
    """For which locks it waited; written beside those that it held."""

    def after(self, before: Record | None) -> Record:
        """Return what is known of a step that was applied before as well, in another schema."""
        if before is None:
            return self
        return replace(
            self,
            seconds=before.seconds + self.seconds,
            statements=[*before.statements, *self.statements],
            locks=[*dict.fromkeys([*before.locks, *self.locks])],
        )


@dataclass(slots=True)
class Ledger:
    """Writes one run; `off` says why nothing is written."""

    query: Query
    vendor: str
    framework: str
    alias: str
    environ: Mapping[str, str]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    off: str = ""
    _have: dict[str, set[str]] = field(default_factory=dict)

    def begin(self, plan: str, kind: str = "migrate", **more: object) -> None:
        """Make the tables if they lack, close what dead processes left open, open this run."""
        try:
            self._prepare()
            self._close_abandoned()
            opening: dict[str, object] = {
                "id": self.id,
                "plan": plan,
                "state": "running",
                "kind": kind,
                "database": self.alias,
                "framework": self.framework,
                "started": _now(),
                "version": __version__,
                **origin(self.environ),
                **more,
            }
            self._insert("tidegate_run", opening)
        except Unwritten as error:
            self.off = str(error)

    def close_left_open(self) -> None:
        """Close the runs of processes that died; nothing else is written. Only for a winner."""
        try:
            if present(self.query, self.vendor, "tidegate_run"):
                self._prepare()
                self._close_abandoned()
        except Unwritten as error:
            self.off = str(error)

    def _close_abandoned(self) -> None:
        open_runs = self.query(
            "SELECT id FROM tidegate_run WHERE state = 'running' "
            f"AND database = {literal(self.alias)} AND framework = {literal(self.framework)}"
        )
        for (run,) in open_runs:
            self.query(f"UPDATE tidegate_run SET state = 'abandoned' WHERE id = {literal(run)}")
            self._link(str(run))

    def note(self, **values: object) -> None:
        """Add to the open run what has become known, such as a backup's receipt."""
        known = {k: v for k, v in values.items() if k in self._have.get("tidegate_run", ())}
        if self.off or not known:
            return
        pairs = ", ".join(f'"{name}" = {literal(value)}' for name, value in known.items())
        try:
            self.query(f"UPDATE tidegate_run SET {pairs} WHERE id = {literal(self.id)}")
        except Unwritten as error:
            self.off = str(error)

    def end(
        self,
        state: str,
        seconds: float,
        steps: Iterable[Record],
        message: str = "",
        after: str = "",
    ) -> None:
        """Close the run with the steps that the database really has now."""
        if self.off:
            return
        try:
            if self.query(f"SELECT state FROM tidegate_run WHERE id = {literal(self.id)}") != [
                ("running",)
            ]:
                return  # another process took over and wrote this run off as abandoned
            for position, record in enumerate(steps, 1):
                self._insert("tidegate_step", self._row(position, record))
            self.note(level_after=after)
            self.query(
                f"UPDATE tidegate_run SET state = {literal(state)}, finished = {literal(_now())}, "
                f"seconds = {seconds:.3f}, message = {literal(message[:2000])} "
                f"WHERE id = {literal(self.id)} AND state = 'running'"
            )
            self._link(self.id)
        except Unwritten as error:
            self.off = str(error)

    def _row(self, position: int, record: Record) -> dict[str, object]:
        kept = record.statements[:MOST_STATEMENTS]
        return {
            "run": self.id,
            "step": record.step.id,
            "digest": record.step.digest,
            "state": record.state,
            "seconds": round(record.seconds, 3),
            "finished": _now(),
            "position": position,
            "statements": len(record.statements),
            "sql": json.dumps([{"sql": sql, "seconds": round(took, 4)} for sql, took in kept]),
            "locks": json.dumps(
                [{"mode": mode, "relation": name} for mode, name in record.locks] + [*record.waits]
            ),
            "retries": record.retries,
        }

    def _link(self, run: str) -> None:
        if set(RUN) <= self._have["tidegate_run"] and set(STEP) <= self._have["tidegate_step"]:
            chain.link(self.query, self.vendor, run)

    def _insert(self, table: str, values: Mapping[str, object]) -> None:
        known = {name: value for name, value in values.items() if name in self._have[table]}
        names = ", ".join(f'"{name}"' for name in known)
        texts = ", ".join(literal(value) for value in known.values())
        self.query(f"INSERT INTO {table} ({names}) VALUES ({texts})")

    def _prepare(self) -> None:
        fresh = False
        for table, columns in TABLES.items():
            have = self._have[table] = present(self.query, self.vendor, table)
            if not have:
                lines = ", ".join(f'"{n}" {self._type(t)}' for n, t in columns.items())
                self.query(f"CREATE TABLE IF NOT EXISTS {table} ({lines})")
                have |= set(columns)
                fresh = True
            elif lacking := [name for name in columns if name not in have]:
                fresh = self._widen(table, lacking) or fresh
        if fresh:
            self._make_view()

    def _widen(self, table: str, names: Sequence[str]) -> bool:
        """Add the columns of this version to a table of an older one; keep going without."""
        try:
            for name in names:
                plain = self._type(TABLES[table][name]).replace(" NOT NULL", "")
                self.query(f'ALTER TABLE {table} ADD COLUMN "{name}" {plain}')
                self._have[table].add(name)
        except Permanent:
            return False  # the table is another role's: what it has is written, and no chain
        return True

    def _make_view(self) -> None:
        try:
            self.query("DROP VIEW IF EXISTS tidegate_history")
            self.query(VIEW)
        except Unwritten:
            pass  # it is for people who read by SQL; the tables are what counts

    def _type(self, kind: str) -> str:
        return kind.replace("TIME", "text" if self.vendor == "sqlite" else "timestamptz")


def present(query: Query, vendor: str, table: str) -> set[str]:
    """Return the columns that a table of the ledger has; none when it isn't there."""
    if vendor == "sqlite":
        rows = query(f"SELECT name FROM pragma_table_info('{table}')")
    else:
        rows = query(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
            f"AND attrelid = to_regclass('{table}')"
        )
    return {str(row[0]) for row in rows}


def recorded(query: Query) -> dict[str, str]:
    """Return step → digest of the file that was applied; the newest wins, undone ones are out."""
    try:
        rows = query(
            "SELECT step, digest, state FROM tidegate_step "
            "WHERE state IN ('done', 'adopted', 'undone') "
            "ORDER BY finished"
        )
    except Unwritten:
        return {}
    out: dict[str, str] = {}
    for step, digest, state in rows:
        if state != "undone":
            out[str(step)] = digest or ""
        else:
            out.pop(str(step), None)
    return out


def held_back(query: Query, alias: str, pending: Mapping[str, str]) -> str:
    """Say why a start must not apply these steps (id → digest) by itself; empty when it may.

    A replica of the release that was rolled back, or restored away, would else do it again at its
    next start. A step whose file has changed since is another step. Raises Transient where the
    ledger is locked: it may say that nothing is to be applied.
    """
    try:
        rows = query(
            "SELECT s.step, s.digest, s.state, r.number FROM tidegate_step s JOIN tidegate_run r "
            f"ON r.id = s.run WHERE r.database = {literal(alias)} ORDER BY s.finished"
        )
        ours = f"database = {literal(alias)} AND coalesce(kind, '') <> 'backup'"
        last = query(
            "SELECT kind, number FROM tidegate_run WHERE number IS NOT NULL "
            f"AND {ours} ORDER BY number DESC LIMIT 1"
        )
        cut = query(
            "SELECT kind, state FROM tidegate_run "
            f"WHERE {ours} ORDER BY started DESC, number DESC LIMIT 1"
        )
    except Unwritten as error:
        if sqlstate(error) == LOCK_REFUSED:
            raise
        return ""
    if cut and cut[0][0] == "rollback" and cut[0][1] in KILLED:
        return "a rollback was cut off before its end"
    newest = {str(step): (digest or "", state, number) for step, digest, state, number in rows}
    for step, digest in pending.items():
        known, state, number = newest.get(step, ("", "", ""))
        if state == "undone" and known == digest:
            return f"{step} was rolled back by run {number}"
    if last and last[0][0] == "restore":
        return f"the database was restored to before them by run {last[0][1]}"
    return ""


def edited(steps: Sequence[Step], digests: Mapping[str, str]) -> list[str]:
    """Return the steps whose file is not the one that was applied."""
    return [s.id for s in steps if digests.get(s.id) and s.digest and digests[s.id] != s.digest]


def literal(value: object) -> str:
    """Quote a value as SQL text."""
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''").replace("\0", "") + "'"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
