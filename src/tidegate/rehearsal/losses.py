"""The tables and columns that a step takes away: what was there before it, and is not now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.databases import pgschema
from tidegate.rehearsal.session import AppSession

Run = Callable[[str], Sequence[Sequence[object]]]
Columns = dict[tuple[int, int], tuple[str, str]]  # by what doesn't change with the name

# What is gone was dropped, and what has another name was renamed: event triggers noted either.
_MOVED = (
    "SELECT coalesce(max(id), 0) FROM tidegate_rehearsal.seen "
    "WHERE kind = 'drop' OR query ~* '\\mRENAME\\M'"
)


class Losses:
    """Follows the columns of one scratch database; of none where it is not PostgreSQL."""

    def __init__(self, run: Run | None) -> None:
        self._run = run
        self._columns: Columns = {}
        self._moved = 0
        self.deployed: Columns = {}

    def begin(self) -> None:
        """Note what is committed now."""
        if self._run is None:
            return
        self._columns = _columns(self._run)
        self._moved = _moved(self._run)
        self.deployed = self.deployed or self._columns

    def since(self, session: AppSession, of: Columns | None = None) -> list[str]:
        """Return the tables and columns that are gone since the last look: a rename is not.

        With `of` only what is in it counts: what the plan itself has made holds no data.
        """
        if self._run is None or session.raw is None or session.status == "failed":
            return []
        before, now = self._columns, self._columns

        def look() -> None:
            nonlocal now
            moved = _moved(session.run)
            if moved != self._moved:
                self._moved, now = moved, _columns(session.run)

        session.aside(look)
        self._columns = now
        return _gone(before, now, of) if now is not before else []


def _gone(before: Columns, now: Columns, of: Columns | None) -> list[str]:
    tables = {oid for oid, _ in now}
    gone = set()
    for (oid, number), (name, _) in before.items():
        if of is not None and (oid, number) not in of:
            continue
        if oid not in tables:
            gone.add(f"table {name.rpartition('.')[0]}")
        elif (oid, number) not in now:
            gone.add(f"column {name}")
    return sorted(gone)


def _columns(run: Run) -> Columns:
    found: Columns = {}
    for oid, number, schema, table, column, kind in run(pgschema.COLUMNS):
        name = f"{pgschema.shown(str(schema), str(table))}.{column}"
        found[int(str(oid)), int(str(number))] = (name, str(kind))
    return found


def _moved(run: Run) -> int:
    return int(str(run(_MOVED)[0][0]))
