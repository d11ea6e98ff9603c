"""A column renamed in two releases: a copy beside it that a trigger keeps equal, then the rename.

The release that uses the new name and the one before it both work on the same table: each writes
its own column, and the trigger writes the other. When nothing uses the old name any more, the copy
goes and the old column, which has its indexes, constraints and default still, takes the name.
"""

from __future__ import annotations

from typing import NamedTuple

from tidegate.model.operation import Column
from tidegate.model.schema import Table
from tidegate.workflows.staging.stage import Declined, quoted

NAME = 63  # bytes of a name in PostgreSQL


class Renamed(NamedTuple):
    """A column that gets another name. `indexes` are (name, columns) of those
    that the copy needs: queries of the next release go by it."""

    table: str
    old: str
    new: str
    type: str
    key: str
    indexes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def sync(self) -> str:
        """The name of the trigger and of its function."""
        return f"{self.table.rpartition('.')[2]}_{self.old}_{self.new}_sync"[:NAME]

    def function(self) -> str:
        """The function that keeps both columns equal."""
        old, new = quoted(self.old), quoted(self.new)
        return f"""CREATE FUNCTION {quoted(self.sync)}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.{new} IS NULL THEN
            NEW.{new} := NEW.{old};
        ELSE
            NEW.{old} := NEW.{new};
        END IF;
    ELSIF NEW.{new} IS DISTINCT FROM OLD.{new} THEN
        NEW.{old} := NEW.{new};
    ELSIF NEW.{old} IS DISTINCT FROM OLD.{old} THEN
        NEW.{new} := NEW.{old};
    END IF;
    RETURN NEW;
END
$$"""

    def expand(self) -> list[str]:
        """The copy, without the function: it stands between the two."""
        return [
            f"ALTER TABLE {quoted(self.table)} ADD COLUMN {quoted(self.new)} {self.type}",
            f"CREATE TRIGGER {quoted(self.sync)} BEFORE INSERT OR UPDATE ON {quoted(self.table)} "
            f"FOR EACH ROW EXECUTE FUNCTION {quoted(self.sync)}()",
        ]

    def undo(self) -> list[str]:
        """What takes the copy back."""
        return [*self.drop(), f"ALTER TABLE {quoted(self.table)} DROP COLUMN {quoted(self.new)}"]

    def drop(self) -> list[str]:
        """What ends the synchronising."""
        return [
            f"DROP TRIGGER {quoted(self.sync)} ON {quoted(self.table)}",
            f"DROP FUNCTION {quoted(self.sync)}()",
        ]

    def fill(self) -> tuple[str, str]:
        """What `backfill` sets, and where."""
        old, new = quoted(self.old), quoted(self.new)
        return f"{new} = {old}", f"{new} IS DISTINCT FROM {old}"

    def contract(self) -> list[str]:
        """The end: the copy goes, and the old column takes the name."""
        table = quoted(self.table)
        return [
            *self.undo(),
            f"ALTER TABLE {table} RENAME COLUMN {quoted(self.old)} TO {quoted(self.new)}",
        ]

    def reopened(self) -> list[str]:
        """What takes the contract back, without the function: it stands before the last."""
        table, old, new = quoted(self.table), quoted(self.old), quoted(self.new)
        add, trigger = self.expand()
        return [
            f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}",
            add,
            f"UPDATE {table} SET {new} = {old}",
            trigger,
        ]


def renamed(table: Table | None, name: str, old: str, new: str, key: str) -> Renamed:
    """Return how a column is renamed. Declines where both columns can't be kept equal."""
    column = table.columns.get(old) if table else None
    if table is None or column is None:
        raise Declined(f"the migrations that were read don't make {name}.{old}")
    _refuse(name, column, key)
    bare = name.rpartition(".")[2]
    over = {one.columns for one in table.indexes.values() if old in one.columns}
    over |= {one.columns for one in table.constraints.values()
             if one.kind == "unique" and old in one.columns}  # fmt: skip
    over |= {(old,)} if column.indexed or column.unique else set()
    for one in table.indexes.values():
        if old in one.columns and (one.where or one.expressions or one.method not in ("", "btree")):
            raise Declined(f"{one.name} on {name}.{old} is more than a plain index")
    indexes = [
        (f"{bare}_{new}_copy{number or ''}"[:NAME], tuple(new if c == old else c for c in columns))
        for number, columns in enumerate(sorted(over))
    ]
    return Renamed(name, old, new, column.type, key, tuple(indexes))


def _refuse(table: str, column: Column, key: str) -> None:
    named = f"{table}.{column.name}"
    if column.primary_key or column.identity:
        raise Declined(f"{named} is a key that the database counts up")
    if column.generated:
        raise Declined(f"{named} is generated")
    if not column.type or column.type.startswith("?"):
        raise Declined(f"the type of {named} can't be told")
    if not key:
        raise Declined(f"{table} has no primary key of one column to go over in batches")
