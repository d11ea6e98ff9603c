"""What a migration does to a database, in one vocabulary for Django, Alembic and raw SQL.

An `Operation` is one statement's worth of work: a `change`, and where and how it was written.
Names are those of the database, resolved: tables and columns, never models and fields.
"""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """A stretch of a source file; lines and columns from 1, the end column is past the last."""

    line: int
    column: int
    end_line: int
    end_column: int


class Reference(NamedTuple):
    """What a foreign key points to. `enforced` is False where the database holds no constraint."""

    table: str
    columns: tuple[str, ...] = ()
    enforced: bool = True
    on_delete: str = ""


class Column(NamedTuple):
    """One column.

    `type` is in lower case as PostgreSQL writes it (`varchar(40)`), "" where it can't be told.
    `default` is the database's: "", `constant` or `volatile`. `code_default` is the framework's:
    "", `constant` or the name of a callable. `enum` holds a native enum's values.
    """

    name: str
    type: str = ""
    nullable: bool = True
    default: str = ""
    default_text: str = ""
    code_default: str = ""
    primary_key: bool = False
    unique: bool = False
    indexed: bool = False
    reference: Reference | None = None
    generated: str = ""  # stored, virtual
    identity: bool = False  # serial, identity, auto-increment
    enum: tuple[str, ...] = ()
    enum_name: str = ""
    check: bool = False
    collation: str = ""


class Index(NamedTuple):
    """One index. `columns` is empty where it is over expressions alone."""

    name: str
    columns: tuple[str, ...] = ()
    unique: bool = False
    concurrently: bool = False
    method: str = ""
    where: bool = False
    expressions: bool = False
    valid: bool = True


class Constraint(NamedTuple):
    """One constraint. `kind`: foreign-key, check, unique, primary-key, exclude."""

    kind: str
    name: str = ""
    columns: tuple[str, ...] = ()
    reference: Reference | None = None
    text: str = ""
    valid: bool = True  # False: NOT VALID
    using_index: str = ""
    not_null_of: str = ""  # the column that a CHECK (column IS NOT NULL) is about


class CreateTable(NamedTuple):
    """A new table with all that was declared in it."""

    table: str
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    if_not_exists: bool = False


class DropTable(NamedTuple):
    """A table goes, with its rows."""

    table: str
    cascade: bool = False


class RenameTable(NamedTuple):
    """A table gets another name."""

    table: str
    new: str


class AddColumn(NamedTuple):
    """A column is added."""

    table: str
    column: Column


class DropColumn(NamedTuple):
    """A column goes, with its values."""

    table: str
    column: str
    cascade: bool = False


class RenameColumn(NamedTuple):
    """A column gets another name."""

    table: str
    column: str
    new: str


class AlterColumn(NamedTuple):
    """A column changes. What is None stays as it is; `before` is the column as replay knows it.

    `unsaid` is what a database that writes the column anew is not told of it, and forgets.
    """

    table: str
    column: str
    before: Column | None = None
    type: str | None = None
    nullable: bool | None = None
    default: str | None = None  # "" drops it
    default_text: str = ""
    using: str = ""
    collation: str = ""
    identity: bool | None = None
    enum: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


class AddIndex(NamedTuple):
    """An index is built. `why` names what asks for it where nobody wrote an index."""

    table: str
    made: Index
    why: str = ""
    if_not_exists: bool = False


class DropIndex(NamedTuple):
    """An index goes."""

    table: str
    name: str
    concurrently: bool = False
    why: str = ""


class RenameIndex(NamedTuple):
    """An index gets another name."""

    table: str
    name: str
    new: str


class AddConstraint(NamedTuple):
    """A constraint is added to a table."""

    table: str
    constraint: Constraint
    why: str = ""


class DropConstraint(NamedTuple):
    """A constraint goes."""

    table: str
    name: str
    kind: str = ""
    cascade: bool = False


class ValidateConstraint(NamedTuple):
    """A constraint that was added NOT VALID is checked against every row."""

    table: str
    name: str


class CreateType(NamedTuple):
    """A type is made; `values` are those of an enum."""

    name: str
    values: tuple[str, ...] = ()


class AlterType(NamedTuple):
    """An enum gains or renames a value (`what`: add, rename-value, rename, drop)."""

    name: str
    what: str
    value: str = ""
    new: str = ""


class Data(NamedTuple):
    """Rows are written: `verb` is insert, update, delete, truncate, copy or merge."""

    verb: str
    table: str
    bounded: bool = True  # False: no WHERE
    cascade: bool = False
    values: tuple[str, ...] = ()  # the string constants in it
    columns: tuple[str, ...] = ()
    batched: bool = False
    named: str = ""  # the user's word for the rows, where the table is not known
    beside: str = ""  # the table whose rows decide which of these are written


class Statement(NamedTuple):
    """Another statement, named by `verb` (`refresh`, `reindex`, `lock`, `set-timeout`, ...)."""

    verb: str
    table: str = ""
    detail: str = ""
    name: str = ""


class Code(NamedTuple):
    """Python that runs with the migration; `traits` are what its source shows."""

    name: str
    traits: tuple[Trait, ...] = ()
    reversible: bool = True


class Trait(NamedTuple):
    """One thing that Python code in a migration does, and where.

    `detail` is what the user calls the object, `table` its table where the replay knows it.
    """

    what: str
    detail: str
    span: Span
    table: str = ""
    vendors: tuple[str, ...] = ()


class Opaque(NamedTuple):
    """Something that runs and can't be read; `why` says what stands in the way."""

    what: str
    why: str


class Nothing(NamedTuple):
    """The framework's own bookkeeping: no statement is sent. `what` names it for the rules."""

    what: str = ""
    table: str = ""
    detail: str = ""


Change = (
    CreateTable | DropTable | RenameTable | AddColumn | DropColumn | RenameColumn | AlterColumn
    | AddIndex | DropIndex | RenameIndex | AddConstraint | DropConstraint | ValidateConstraint
    | CreateType | AlterType | Data | Statement | Code | Opaque | Nothing
)  # fmt: skip


class Operation(NamedTuple):
    """One change, and how it was written.

    `said` is the user's own word for it (`AddField`, `op.add_column`, `SQL`). `transaction`
    numbers the transactions of a step; 0 is a statement that commits by itself. `vendors` is
    empty unless the code asks for one. `maybe`: it stands under a condition or in a loop that
    can't be decided here. `state_only`: the framework believes it, the database never hears.
    `subject` is what the user calls the object (`Order.customer`), `field` the Django field.
    """

    change: Change
    span: Span
    said: str = ""
    transaction: int = 1
    vendors: tuple[str, ...] = ()
    maybe: bool = False
    state_only: bool = False
    reversible: bool = True
    subject: str = ""
    batch: bool = False
    sql: str = ""
