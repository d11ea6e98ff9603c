"""One table of the replayed schema."""

from __future__ import annotations

from typing import NamedTuple

from tidegate.model.operation import Column, Constraint, Index


class Table(NamedTuple):
    """One table. `made_in` is the step that created it, "" where no step that was read did.

    `forgotten` maps columns that the framework's state no longer has, though the database still
    does, to the step since which that is so; "*" stands for the whole table.
    """

    name: str
    made_in: str = ""
    columns: dict[str, Column] = {}
    indexes: dict[str, Index] = {}
    constraints: dict[str, Constraint] = {}
    added_in: dict[str, str] = {}  # constraint, index or column -> step
    forgotten: dict[str, str] = {}

    def covers(self, columns: tuple[str, ...]) -> bool:
        """Whether an index, key or unique constraint begins with `columns`."""
        wanted = columns
        have = [one.columns for one in self.indexes.values() if not one.where]
        have += [
            one.columns
            for one in self.constraints.values()
            if one.kind in ("unique", "primary-key")
        ]
        have += [(one.name,) for one in self.columns.values() if one.primary_key or one.unique]
        return any(set(cols[: len(wanted)]) == set(wanted) for cols in have)
