"""The hash chain over the ledger's runs: what was written once can't be changed unseen.

A run is chained when it is closed. Its hash covers its number, the hash before it, and all that
its row and its steps say. Whoever may write the tables can write the whole chain anew: keep the
last hash elsewhere (`tidegate history` prints it) to notice that too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tidegate.contracts.database import Rows

Query = Callable[[str], Rows]

# The hash is over exactly these, in this order; a later form gets another first letter.
RUN = ("id", "kind", "state", "database", "framework", "plan", "fingerprint", "started",
       "finished", "seconds", "by", "host", "pid", "container", "ci", "agent", "revision", "image",
       "version", "backup", "level_before", "level_after", "message")  # fmt: skip
STEP = ("step", "digest", "state", "seconds", "finished", "position", "statements", "sql", "locks",
        "retries")  # fmt: skip
FORM = "a"
TIMES = ("started", "finished")


@dataclass(frozen=True, slots=True)
class Broken:
    """One place where the chain does not hold."""

    number: int
    run: str
    why: str


def link(query: Query, vendor: str, run: str) -> str:
    """Chain a closed run; return its hash. One UPDATE: there is no half-chained run."""
    last = query(
        "SELECT number, hash FROM tidegate_run WHERE hash IS NOT NULL ORDER BY number DESC LIMIT 1"
    )
    number = int(last[0][0] or 0) + 1 if last else 1
    before = str(last[0][1]) if last else ""
    text = digest(query, vendor, run, number, before)
    query(
        f"UPDATE tidegate_run SET number = {number}, previous = '{before}', hash = '{text}' "
        f"WHERE id = '{_safe(run)}'"
    )
    return text


def digest(query: Query, vendor: str, run: str, number: int, before: str) -> str:
    """Return the hash of a run as the database has it now."""
    columns = ", ".join(_text(name, vendor) for name in RUN)
    row = query(f"SELECT {columns} FROM tidegate_run WHERE id = '{_safe(run)}'")
    columns = ", ".join(_text(name, vendor) for name in STEP)
    steps = query(
        f"SELECT {columns} FROM tidegate_step WHERE run = '{_safe(run)}' ORDER BY position, step"
    )
    whole = json.dumps([FORM, number, before, [list(one) for one in row], [list(s) for s in steps]])
    return FORM + sha256(whole.encode()).hexdigest()


def verify(query: Query, vendor: str) -> tuple[int, str, list[Broken]]:
    """Return how many runs are chained, the last hash, and where the chain does not hold."""
    broken: list[Broken] = []
    before, expected, last = "", 1, ""
    rows = query(
        "SELECT id, number, previous, hash FROM tidegate_run WHERE hash IS NOT NULL "
        "ORDER BY number, id"
    )
    for run, number, previous, hash in rows:
        at = int(number or 0)
        if at != expected:
            what = "is there twice" if at < expected else "is missing"
            broken.append(Broken(at, str(run), f"number {min(at, expected)} {what}"))
        elif (previous or "") != before:
            broken.append(Broken(at, str(run), "does not follow from the run before it"))
        if digest(query, vendor, str(run), at, previous or "") != hash:
            broken.append(Broken(at, str(run), "was changed after it was written"))
        before, last, expected = str(hash), str(hash), at + 1
    broken += _outside(query, rows)
    return len(rows), last, broken


def _outside(query: Query, rows: Sequence[Sequence[str | None]]) -> list[Broken]:
    """Closed runs that are not in the chain although it had begun, and steps without a run."""
    if not rows:
        return []
    first = _safe(str(rows[0][0]))
    loose = query(
        "SELECT id FROM tidegate_run WHERE hash IS NULL AND state <> 'running' AND started > "
        f"(SELECT started FROM tidegate_run WHERE id = '{first}') ORDER BY id"
    )
    orphans = query(
        "SELECT DISTINCT run FROM tidegate_step WHERE run NOT IN (SELECT id FROM tidegate_run)"
    )
    return [Broken(0, str(run), "is closed and not in the chain") for (run,) in loose] + [
        Broken(0, str(run), "has steps, and the run itself is gone") for (run,) in orphans
    ]


def _text(name: str, vendor: str) -> str:
    """Return SQL whose text is the same in every session, time zone and restored copy."""
    column = f'"{name}"'
    if vendor == "sqlite":
        return f"printf('%.3f', {column})" if name == "seconds" else f"CAST({column} AS TEXT)"
    if name in TIMES:
        return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS')"
    if name == "seconds":
        return f"to_char({column}, 'FM999999999990.000')"
    return f"{column}::text"


def _safe(run: str) -> str:
    return run.replace("'", "''")
