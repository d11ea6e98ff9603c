"""What a review rule is: one module that says what it flags, shows it, and finds it.

A rule module has a docstring (its page: the first line is its title), `RULE`, and one of

- `examine(moment)`: asked about each operation whose change is of a kind in `RULE.on`;
- `examine_step(step)`: asked about each step as a whole;
- `examine_graph(graph)`: asked once a chain.

Each yields Hazards. The rule's name is its file's name, with hyphens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from tidegate.model.finding import Place
from tidegate.model.operation import (
    Column,
    Constraint,
    CreateTable,
    DropColumn,
    DropTable,
    Operation,
    RenameColumn,
    RenameTable,
    Span,
    Statement,
)
from tidegate.model.schema import Table

POSTGRESQL = ("postgresql",)
MYSQL = ("mysql",)
SQLITE = ("sqlite",)


class Example(NamedTuple):
    """A migration that the rule flags, and one that does the same without being flagged.

    `bad` and `good` are what stands in `operations = [...]` (Django) or in `upgrade()` (Alembic);
    text that holds a line `# --- next file` is several migrations; what stands before a line
    `# --- operations` is the module's; what follows a line `# --- downgrade` is Alembic's way back;
    a line `# atomic = False` is Django's attribute; a first line `# Temporary: ...` is the file's.
    They are applied to a database that holds the tables of `contracts.shop`, after what `before`
    does. `line` is where the finding stands, from 1 within `bad`; 0 is the head of the class or
    function.
    """

    framework: str
    bad: str
    good: str
    line: int = 1
    before: str = ""
    vendor: str = "postgresql"
    applies: bool = True  # False: the database itself refuses the bad one
    companions: tuple[str, ...] = ()  # further rules that the bad one is flagged by
    mended: bool = True  # False: the rule's fix does not fit it


class Rule(NamedTuple):
    """A rule's declaration. `on` are the kinds of change it is asked about.

    `vendors` is empty where the rule holds for every database. `since` is the first major version
    of the server for which it holds, `until` the last; 0 means no limit. `companions` are rules
    that have to flag the bad example as well. `opt_in`: off until a project's settings name it.
    """

    severity: str
    on: tuple[type, ...] = ()
    examples: tuple[Example, ...] = ()
    vendors: tuple[str, ...] = ()
    confidence: str = "high"
    since: int = 0
    until: int = 0
    companions: tuple[str, ...] = ()
    opt_in: bool = False
    fixable: bool = False  # `check --fix` rewrites it, where the file allows
    state_only: bool = False  # asked about what only the framework believes, as well


class Hazard(NamedTuple):
    """What a rule says. What is empty comes from the rule or from the operation."""

    message: str
    remedy: str = ""
    severity: str = ""
    confidence: str = ""
    span: Span | None = None
    path: str = ""
    also: tuple[Place, ...] = ()
    mendable: bool = True  # False: the rule's fix does not fit this one


class Moment:
    """One operation, with the schema as it was before it."""

    __slots__ = ("operation", "step", "tables", "types", "types_made_in")

    def __init__(
        self,
        operation: Operation,
        tables: dict[str, Table],
        types: dict[str, tuple[str, ...]],
        types_made_in: dict[str, str],
        step: StepView,
    ) -> None:
        self.operation = operation
        self.tables = tables
        self.types = types
        self.types_made_in = types_made_in
        self.step = step

    @property
    def change(self) -> Any:
        """The change itself."""
        return self.operation.change

    @property
    def django(self) -> bool:
        """Whether the user wrote it for Django."""
        return self.step.framework == "django"

    def table(self, name: str) -> Table | None:
        """Return a table as it was before; None where no step that was read made it."""
        found = self.tables.get(name)
        return found or (self.tables.get(name.rpartition(".")[2]) if "." in name else None)

    def is_old(self, name: str) -> bool:
        """Whether the running release may have the table: it was not made under review.

        A squashed migration runs only where nothing of what it replaces has run: on new databases.
        What no step has made, and this one drops IF EXISTS before it makes it, was never there.
        """
        if self.step.squashed:
            return False
        found = self.table(name)
        if found is None and "IF EXISTS" in self.operation.sql.upper():
            return not self.step.makes(name)
        return found is None or not self.step.is_fresh(found.made_in)

    def is_old_column(self, table: str, column: str) -> bool:
        """Whether the running release may have the column."""
        found = self.table(table)
        if found is None:
            return True
        added = found.added_in.get("column " + column, "")
        return self.is_old(table) and not self.step.is_fresh(added)

    def proves_not_null(self, table: str, column: str) -> Constraint | None:
        """Return a validated CHECK (column IS NOT NULL) that is there already."""
        found = self.table(table)
        for one in found.constraints.values() if found else ():
            if one.kind == "check" and one.not_null_of == column and one.valid:
                return one
        return None

    def renamed_to(self, table: str, column: str) -> bool:
        """Whether the same transaction gives another column the name of this one."""
        mine = self.operation.transaction
        return any(
            isinstance(one.change, RenameColumn)
            and (one.change.table, one.change.new) == (table, column)
            and one.operation.transaction == mine
            and not one.operation.state_only
            for one in self.step.moments
        )

    def copy_of(self, table: str, column: str) -> Column | None:
        """Return the column that the same transaction gives the name of this one, as it is now."""
        names = {
            one.change.new: one.change.column
            for one in self.step.moments
            if isinstance(one.change, RenameColumn)
            and one.change.table == table
            and one.operation.transaction == self.operation.transaction
        }
        name = column
        while name in names:
            name = names.pop(name)
        found = self.table(table)
        return found.columns.get(name) if found and name != column else None

    def loses_table(self, table: str) -> bool:
        """Whether the same transaction drops that table, with all that is in it."""
        mine = self.operation.transaction
        return any(
            isinstance(one.change, DropTable)
            and one.change.table == table
            and one.operation.transaction == mine
            and not one.operation.state_only
            for one in self.step.moments
        )

    def drops(self, table: str, column: str) -> bool:
        """Whether the same transaction drops that column."""
        mine = self.operation.transaction
        return any(
            isinstance(one.change, DropColumn)
            and (one.change.table, one.change.column) == (table, column)
            and one.operation.transaction == mine
            for one in self.step.moments
        )

    def makes_view(self, name: str) -> bool:
        """Whether the same transaction makes a view of that name."""
        mine = self.operation.transaction
        return any(
            isinstance(one.change, Statement)
            and one.change.verb in ("view", "create-materialized-view")
            and (one.change.name or one.change.table) == name
            and one.operation.transaction == mine
            for one in self.step.moments
        )

    @property
    def in_transaction(self) -> bool:
        """Whether the statement runs in a transaction: one text of several statements is one."""
        own = self.operation
        return own.transaction != 0 or any(
            one is not self and one.operation.sql and one.operation[1:] == own[1:]
            for one in self.step.moments
        )

    @property
    def committed(self) -> bool:
        """Whether a COMMIT was sent by hand before."""
        for one in self.step.moments:
            if one is self:
                return False
            ended = isinstance(one.change, Statement) and one.change.verb == "transaction"
            if ended and one.change.detail == "commit":
                return True
        return False

    def name_after(self, table: str, column: str = "") -> str:
        """Return the name that a table or column has at the end of this transaction.

        Other sessions see no other: what is renamed and renamed back keeps its name for them.
        """
        name = column or table
        for old, new in self._renames(table, column, self.step.moments[self._place :]):
            name = new if name == old else name
        return name

    def name_before(self, table: str, column: str = "") -> str:
        """Return the name that a table or column had when this transaction began."""
        name = column or table
        for old, new in self._renames(table, column, self.step.moments[: self._place][::-1]):
            name = old if name == new else name
        return name

    @property
    def _place(self) -> int:
        return self.step.moments.index(self)

    def _renames(
        self, table: str, column: str, moments: Sequence[Moment]
    ) -> Iterator[tuple[str, str]]:
        """Yield the old and new names that these moments give in this transaction."""
        for one in moments:
            change = one.change
            if one.operation.transaction != self.operation.transaction:
                continue
            if column and isinstance(change, RenameColumn) and change.table == table:
                yield change.column, change.new
            elif not column and isinstance(change, RenameTable):
                yield change.table, change.new

    def keeps_name(self, table: str, column: str = "") -> bool:
        """Whether a table or column that is renamed has its first name again in the end."""
        if self.operation.transaction == 0:
            return False
        return self.name_before(table, column) == self.name_after(table, column)

    def say(self, django: str, alembic: str, sql: str = "") -> str:
        """Return the words for the way in which the user wrote the operation."""
        if sql and (self.operation.sql or self.operation.said in ("RunSQL", "op.execute")):
            return sql
        return django if self.django else alembic


class StepView:
    """One step under review: its operations in order, and what its file says of itself."""

    __slots__ = (
        "atomic", "backward", "backward_state", "backward_title", "empty", "framework", "fresh",
        "id", "initial", "last", "moments", "needs", "path", "problem", "replaces", "squashed",
        "temporary", "title", "vendor", "version",
    )  # fmt: skip

    def __init__(
        self, id: str, framework: str, path: str, vendor: str, version: int, fresh: frozenset[str]
    ) -> None:
        self.id = id
        self.framework = framework
        self.path = path
        self.vendor = vendor
        self.version = version
        self.fresh = fresh
        self.atomic = True
        self.initial = False
        self.title = Span(1, 1, 1, 1)
        self.needs: tuple[str, ...] = ()
        self.replaces: tuple[str, ...] = ()
        self.moments: list[Moment] = []
        self.backward: list[Moment] = []
        self.backward_state = "done"
        self.backward_title = Span(1, 1, 1, 1)
        self.problem = ""
        self.squashed = False
        self.empty = False  # nothing is written in it, for whichever database
        self.last = False  # nothing depends on it
        self.temporary = False  # `make --watch` wrote it, to be folded into one

    def is_fresh(self, step: str) -> bool:
        """Whether a step belongs to the release under review."""
        return bool(step) and (step == self.id or step in self.fresh)

    def makes(self, table: str) -> bool:
        """Whether the step creates the table."""
        return any(
            isinstance(one.change, CreateTable) and one.change.table == table
            for one in self.moments
        )

    def real(self) -> Iterator[Moment]:
        """Yield the operations of which the database hears."""
        for one in self.moments:
            if not one.operation.state_only:
                yield one


class GraphView(NamedTuple):
    """One chain of steps: every file that was read, by id, with what it needs."""

    framework: str
    nodes: dict[str, Node]
    vendor: str = ""
    applied: frozenset[str] = frozenset()  # where the database was asked
    gone: tuple[str, ...] = ()  # applied, and no file
    removed: tuple[Removed, ...] = ()  # since a git revision


class Removed(NamedTuple):
    """A step that was there at a git revision. `now` is the path of a file that does the same."""

    id: str
    path: str
    since: str
    now: str = ""


class Node(NamedTuple):
    """One step in the graph."""

    id: str
    path: str
    title: Span
    needs: tuple[str, ...]
    replaces: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    named: tuple[str, ...] = ()  # needs as the file writes them, where they lead nowhere
    broken: bool = False  # it can't be read
    edited: str = ""  # since when, where it is known that it was applied in another form


class RuleModule(Protocol):
    """A rule's module."""

    __doc__: str
    RULE: Rule
