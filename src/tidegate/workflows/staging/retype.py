"""A column of another type without a rewrite: a copy that a trigger keeps equal takes its place.

The app sees one name all along. The copy is added, filled in batches and indexed while the table
is in use; in one short transaction the old column goes and the copy takes its name.
"""

from __future__ import annotations

from typing import NamedTuple

from tidegate.model.operation import AlterColumn
from tidegate.workflows.staging.batches import Batched
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.stage import Declined, quoted

NAME = 63  # bytes of a name in PostgreSQL


class Retyped(NamedTuple):
    """A column that gets another type. `indexes` are (name, columns) of those over it."""

    table: str
    column: str
    old: str
    type: str
    key: str
    nullable: bool
    indexes: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def copy(self) -> str:
        """The name of the copy."""
        return f"{self.column[: NAME - 9]}_new_type"

    @property
    def sync(self) -> str:
        """The name of the trigger and of its function."""
        return f"{self.table.rpartition('.')[2]}_{self.column}_sync"[:NAME]

    def alter(self, said: str) -> str:
        """Return an ALTER TABLE."""
        return f"ALTER TABLE {quoted(self.table)} {said}"

    @property
    def check(self) -> str:
        """The name of the check that says what NOT NULL will."""
        return f"{self.table.rpartition('.')[2]}_{self.copy}_is_set"[:NAME]

    def function(self) -> str:
        """The function that keeps the copy equal."""
        return f"""CREATE FUNCTION {quoted(self.sync)}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.{quoted(self.copy)} := NEW.{quoted(self.column)};
    RETURN NEW;
END
$$"""

    def add(self) -> str:
        """Add the copy, with the check where NOT NULL is to come."""
        add = f"ADD COLUMN {quoted(self.copy)} {self.type}"
        if self.nullable:
            return self.alter(add)
        test = f"CHECK ({quoted(self.copy)} IS NOT NULL) NOT VALID"
        return self.alter(f"{add}, ADD CONSTRAINT {quoted(self.check)} {test}")

    def trigger(self) -> str:
        """Make the trigger."""
        return (
            f"CREATE TRIGGER {quoted(self.sync)} BEFORE INSERT OR UPDATE ON {quoted(self.table)} "
            f"FOR EACH ROW EXECUTE FUNCTION {quoted(self.sync)}()"
        )

    def drop(self) -> list[str]:
        """End the synchronising."""
        return [
            f"DROP TRIGGER {quoted(self.sync)} ON {quoted(self.table)}",
            f"DROP FUNCTION {quoted(self.sync)}()",
        ]

    def fill(self) -> Batched:
        """Fill the copy."""
        value = f"{quoted(self.column)}::{self.type}"
        copy = quoted(self.copy)
        return Batched(self.table, f"{copy} = {value}", f"{copy} IS DISTINCT FROM {value}",
                       self.key)  # fmt: skip

    def built(self) -> list[tuple[str, str, str]]:
        """Return (name, CREATE, DROP) of each index of the copy."""
        out = []
        for name, columns in self.indexes:
            copy = quoted(self.indexed(name))
            listed = ", ".join(quoted(self.copy if one == self.column else one) for one in columns)
            create = f"CREATE INDEX CONCURRENTLY {copy} ON {quoted(self.table)} ({listed})"
            out.append((name, create, f"DROP INDEX CONCURRENTLY IF EXISTS {copy}"))
        return out

    def indexed(self, name: str) -> str:
        """Return what an index of the copy is called until the copy takes the name."""
        return f"{name[: NAME - 9]}_new_type"

    def validate(self) -> str:
        """Look at every row for the check, while the table is in use."""
        return self.alter(f"VALIDATE CONSTRAINT {quoted(self.check)}")

    def swap(self) -> list[str]:
        """Let the copy take the column's place."""
        out = self.drop()
        out.append(self.alter(f"DROP COLUMN {quoted(self.column)}"))
        out.append(self.alter(f"RENAME COLUMN {quoted(self.copy)} TO {quoted(self.column)}"))
        if not self.nullable:  # under the column's own name: PostgreSQL 18 names NOT NULL by it
            out.append(self.alter(f"ALTER COLUMN {quoted(self.column)} SET NOT NULL"))
            out.append(self.alter(f"DROP CONSTRAINT {quoted(self.check)}"))
        out += [
            f"ALTER INDEX {quoted(self.indexed(name))} RENAME TO {quoted(name)}"
            for name, _ in self.indexes
        ]
        return out

    def reopened(self) -> list[str]:
        """Take the swap back, up to the function: the old type, and the copy beside it."""
        set_ = f"SET {quoted(self.copy)} = {quoted(self.column)}"
        return [
            self.alter(f"ALTER COLUMN {quoted(self.column)} TYPE {self.old}"),
            self.add(),
            f"UPDATE {quoted(self.table)} {set_}",
        ]


def retyped(change: AlterColumn, at: At) -> Retyped:
    """Return how a column gets another type. Declines where a copy can't take its place."""
    table, column = at.tables.get(change.table), change.before
    named = f"{change.table}.{change.column}"
    if table is None or column is None or not column.type or column.type.startswith("?"):
        raise Declined(f"the type of {named} before can't be told")
    if not change.type or change.type.startswith("?") or change.using or change.collation:
        raise Declined(f"how {named} is turned into the new type can't be told")
    if column.primary_key or column.identity or column.generated:
        raise Declined(f"{named} is a key, or counted up or generated by the database")
    if column.unique or column.reference or column.check or column.default:
        raise Declined(f"{named} has a constraint or default that the copy would need as well")
    if any(change.column in one.columns for one in table.constraints.values()):
        raise Declined(f"{named} has a constraint that the copy would need as well")
    indexes = []
    for name, one in table.indexes.items():
        if change.column in one.columns:
            if one.unique or one.where or one.expressions or one.method not in ("", "btree"):
                raise Declined(f"{name} on {named} is more than a plain index")
            indexes.append((name, one.columns))
    if column.indexed:
        raise Declined(f"{named} has an index of the framework's own naming")
    key = at.key(change.table)
    if not key:
        raise Declined(f"{change.table} has no primary key of one column to go over in batches")
    return Retyped(change.table, change.column, column.type, change.type, key, column.nullable,
                   tuple(indexes))  # fmt: skip
