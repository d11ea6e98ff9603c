"""The schema as replay knows it: tables that are replaced, never changed, as steps go by."""

from __future__ import annotations

from tidegate.model.moving import HANDLERS
from tidegate.model.operation import Operation
from tidegate.model.table import Table

__all__ = ["Schema", "Table"]


class Schema:
    """All tables and enum types; `apply` moves it on by one operation of `step`.

    `types_made_in` also has `view NAME`, `function NAME`, `trigger function NAME` and `triggers on
    TABLE`, each with the step that made it.
    """

    __slots__ = ("tables", "types", "types_made_in")

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.types: dict[str, tuple[str, ...]] = {}
        self.types_made_in: dict[str, str] = {}

    def table(self, name: str) -> Table | None:
        """Return the table, by name without or with its schema."""
        found = self.tables.get(name)
        if found is None and "." in name:
            found = self.tables.get(name.rsplit(".", 1)[1])
        return found

    def owner_of_index(self, name: str) -> str:
        """Return the table that an index of that name is on, or ""."""
        for table in self.tables.values():
            if name in table.indexes or name in table.constraints:
                return table.name
        return ""

    def apply(self, operation: Operation, step: str) -> None:
        """Move on by one operation."""
        change = operation.change
        handler = HANDLERS.get(type(change))
        if handler is not None:
            handler(self, change, step, operation)

    def put(self, table: Table) -> None:
        """Replace a table."""
        self.tables[table.name] = table

    def known(self, name: str) -> Table:
        """Return the table, or an empty one where no step made it."""
        return self.table(name) or Table(name)
