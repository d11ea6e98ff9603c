"""The journal of a step that is not one transaction: which of its statements are done.

Each statement that changes the schema is written down in the transaction that it runs in, so a
process that is killed leaves either both or none. One that the server runs in no transaction
(`CONCURRENTLY`) is written down before and after. Whoever comes next leaves out what is done, as
long as the schema is the one that the last of them left behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tidegate.container.ledger import literal
from tidegate.contracts.database import Rows, TableMissing
from tidegate.databases import pgclasses, pgschema
from tidegate.errors import PolicyRefused
from tidegate.model.level import Verdict
from tidegate.model.plan import digest
from tidegate.model.readiness import Permanent, Transient

TABLE = "tidegate_part"
DOWN = "undo "
_MAKE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (step text NOT NULL, part text NOT NULL, "
    "state text NOT NULL, schema text NOT NULL, noted timestamptz NOT NULL DEFAULT "
    "clock_timestamp(), PRIMARY KEY (step, part))"
)
Run = Callable[[str], Sequence[Sequence[object]]]
Before = Sequence[tuple[int, str]]


class Parts:
    """The journal of one database."""

    def __init__(self, query: Callable[[str], Rows], way: str = "", usable: bool = True) -> None:
        self._query = query
        self._usable = usable  # not where one step is applied in several schemas
        self._way = way
        self._table = TABLE
        self._step = ""
        self._known: dict[str, tuple[str, str]] = {}
        self._sent: Counter[str] = Counter()
        self._last = ""  # the schema that the last part left behind; "" when that is settled
        self.on = False

    def begin(self, step: str) -> None:
        """A step that is not one transaction begins: read what an earlier run has done of it."""
        self._step, self._sent = f"{self._way}{step}", Counter()
        if not self._usable:
            return
        try:
            self._query(_MAKE)
            schema = self._query("SELECT quote_ident(current_schema())")[0][0]
            self._table = f"{schema}.{TABLE}"
            rows = self._query(
                f"SELECT part, state, schema FROM {self._table} WHERE step = {literal(self._step)} "
                "ORDER BY noted"
            )
        except (Transient, Permanent, TableMissing):
            self.on = False  # the role may make no tables: the step runs, and can't be resumed
            return
        self.on = True
        self._known = {str(part): (str(state), str(schema)) for part, state, schema in rows}
        self._last = str(rows[-1][2]) if rows else ""

    def mark(self, sql: str) -> str:
        """Return the name of a statement: its text, and how often it came before."""
        name = digest(sql)
        self._sent[name] += 1
        return f"{name}-{self._sent[name]}"

    def state(self, mark: str) -> str:
        """Return `done`, `begun` (it may have taken effect, or not) or an empty string."""
        return self._known.get(mark, ("", ""))[0]

    def check(self, run: Run) -> None:
        """Before the first part after those that are done: is the schema still as they left it?"""
        last, self._last = self._last, ""
        if not last or last == _schema(run):
            return
        raise PolicyRefused(
            f"{self._step} was half done by an earlier run, and the schema is another one since",
            f"{len(self._known)} of its statements are written down in {TABLE} as done. Whether "
            "they still are can't be told, so nothing was changed.",
            "bring the schema to where the step begins, and forget the half: "
            f"DELETE FROM {TABLE} WHERE step = '{self._step}'",
        )

    def settle(self) -> None:
        """What was in doubt has been looked at: the schema needs no comparison."""
        self._last = ""

    def before(self, run: Run, sql: str) -> Before | None:
        """Read the schema before a part, so that little of it has to be read under its locks."""
        return pgschema.owned(run) if pgclasses.changes_tables_only(sql) else None

    def note(self, run: Run, mark: str, state: str, before: Before | None = None) -> None:
        """Write a part down, in whatever transaction the session is in."""
        schema = _schema(run) if before is None else _digest(pgschema.lines_after(run, before))
        run(
            f"INSERT INTO {self._table} (step, part, state, schema) VALUES ({literal(self._step)}, "
            f"'{mark}', '{state}', '{schema}') ON CONFLICT (step, part) DO UPDATE SET "
            "state = excluded.state, schema = excluded.schema, noted = clock_timestamp()"
        )

    def forget(self, ended: Iterable[str]) -> None:
        """Delete the parts of steps that have come to their end, up or down."""
        steps = ", ".join(literal(f"{way}{one}") for one in ended for way in ("", DOWN))
        try:
            if steps and self._query(f"SELECT to_regclass('{TABLE}')")[0][0]:
                self._query(f"DELETE FROM {TABLE} WHERE step IN ({steps})")
        except (Transient, Permanent, TableMissing):
            pass  # they do no harm


def half_done(run: Run, steps: Iterable[str]) -> list[str]:
    """Return those of `steps` that an earlier run has begun and not ended."""
    listed = ", ".join(literal(one) for one in steps)
    try:
        rows = run(f"SELECT DISTINCT step FROM {TABLE} WHERE step IN ({listed})") if listed else []
    except (Transient, Permanent, TableMissing):
        return []
    return [str(row[0]) for row in rows]


def all_half_done(run: Run) -> set[str]:
    """Return every step that the journal knows; those that ended well are deleted from it."""
    try:
        return {str(row[0]) for row in run(f"SELECT DISTINCT step FROM {TABLE}")}
    except (Transient, Permanent, TableMissing):
        return set()


def begun(run: Run, vendor: str, verdict: Verdict) -> list[str]:
    """Return the steps that an earlier run has half applied, or half undone ("undo x").

    Those of a newer code than ours are among them: it is our tables that they have changed.
    """
    if vendor != "postgresql":
        return []
    found = all_half_done(run)
    pending = [step for step in verdict.pending if step in found]
    applied = {*verdict.applied, *verdict.unknown}
    newer = [step for step in sorted(found - set(pending))
             if not step.startswith(DOWN) and step not in applied]  # fmt: skip
    down = [step for step in sorted(found)
            if step.startswith(DOWN) and step.removeprefix(DOWN) in applied]  # fmt: skip
    return [*pending, *newer, *down]


def _schema(run: Run) -> str:
    return _digest(pgschema.lines(run))


def _digest(lines: Sequence[str]) -> str:
    return digest("\n".join(lines))
