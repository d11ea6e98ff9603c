"""The ledger: the tables `tidegate_run` and `tidegate_step` in the database itself.

Created on first need by whoever holds the election, widened by later versions column by column,
and never in the way: without the permission we work without it, and say so once.
"""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tidegate.contracts.database import Rows, TableMissing
from tidegate.model.readiness import Permanent, Transient
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
}
STEP = {
    "run": "text NOT NULL",
    "step": "text NOT NULL",
    "digest": "text",
    "state": "text NOT NULL",
    "seconds": "double precision",
    "finished": "TIME",
}
TABLES = {"tidegate_run": RUN, "tidegate_step": STEP}

Query = Callable[[str], Rows]


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

    def begin(self, plan: str) -> None:
        """Make the tables if they lack, close what dead processes left open, open this run."""
        try:
            self._prepare()
            self.query(
                "UPDATE tidegate_run SET state = 'abandoned' WHERE state = 'running' "
                f"AND database = {literal(self.alias)} AND framework = {literal(self.framework)}"
            )
            self._insert("tidegate_run", self._opening(plan))
        except (Transient, Permanent, TableMissing) as error:
            self.off = str(error)

    def _opening(self, plan: str) -> dict[str, object]:
        return {
            "id": self.id,
            "plan": plan,
            "state": "running",
            "database": self.alias,
            "framework": self.framework,
            "started": _now(),
            "by": _who(self.environ),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "revision": self.environ.get("TIDEGATE_REVISION", ""),
            "image": self.environ.get("TIDEGATE_IMAGE", ""),
        }

    def end(
        self, state: str, seconds: float, steps: Iterable[tuple[Step, float]], message: str = ""
    ) -> None:
        """Close the run with the steps that the database really has now."""
        if self.off:
            return
        try:
            if self.query(f"SELECT state FROM tidegate_run WHERE id = {literal(self.id)}") != [
                ("running",)
            ]:
                return  # another process took over and wrote this run off as abandoned
            for step, took in steps:
                self._insert(
                    "tidegate_step",
                    {
                        "run": self.id,
                        "step": step.id,
                        "digest": step.digest,
                        "state": "done",
                        "seconds": round(took, 3),
                        "finished": _now(),
                    },
                )
            self.query(
                f"UPDATE tidegate_run SET state = {literal(state)}, finished = {literal(_now())}, "
                f"seconds = {seconds:.3f}, message = {literal(message[:2000])} "
                f"WHERE id = {literal(self.id)} AND state = 'running'"
            )
        except (Transient, Permanent, TableMissing) as error:
            self.off = str(error)

    def _insert(self, table: str, values: Mapping[str, object]) -> None:
        names = ", ".join(f'"{name}"' for name in values)
        texts = ", ".join(literal(value) for value in values.values())
        self.query(f"INSERT INTO {table} ({names}) VALUES ({texts})")

    def _prepare(self) -> None:
        for table, columns in TABLES.items():
            have = self._columns(table)
            if not have:
                lines = ", ".join(f'"{n}" {self._type(t)}' for n, t in columns.items())
                self.query(f"CREATE TABLE IF NOT EXISTS {table} ({lines})")
                continue
            for name, kind in columns.items():
                if name not in have:
                    plain = self._type(kind).replace(" NOT NULL", "")
                    self.query(f'ALTER TABLE {table} ADD COLUMN "{name}" {plain}')

    def _columns(self, table: str) -> set[str]:
        if self.vendor == "sqlite":
            rows = self.query(f"SELECT name FROM pragma_table_info('{table}')")
        else:
            rows = self.query(
                "SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
                f"AND attrelid = to_regclass('{table}')"
            )
        return {str(row[0]) for row in rows}

    def _type(self, kind: str) -> str:
        return kind.replace("TIME", "text" if self.vendor == "sqlite" else "timestamptz")


def recorded(query: Query) -> dict[str, str]:
    """Return step → digest of the file that was applied; the newest wins."""
    try:
        rows = query(
            "SELECT step, digest FROM tidegate_step WHERE state = 'done' ORDER BY finished"
        )
    except (TableMissing, Transient, Permanent):
        return {}
    return {str(step): digest or "" for step, digest in rows}


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


def _who(environ: Mapping[str, str]) -> str:
    try:
        return environ.get("TIDEGATE_BY") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
