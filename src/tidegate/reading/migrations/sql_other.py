"""SQL of other databases, and PostgreSQL's where its grammar is not installed, through sqlglot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    Change,
    Column,
    Constraint,
    CreateTable,
    Data,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Opaque,
    Reference,
    RenameColumn,
    RenameTable,
    Statement,
)
from tidegate.model.sqltype import normal
from tidegate.reading.migrations.sql_pgtrees import default_kind
from tidegate.reading.migrations.sql_postgresql import placeholders

DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite"}


def changes(sql: str, vendor: str) -> list[Change] | None:
    """Return what each statement does; None where sqlglot is not installed."""
    try:
        import logging

        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError:
        return None
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        parsed = sqlglot.parse(placeholders(sql), dialect=DIALECTS.get(vendor, ""))
    except SqlglotError as error:
        line = str(error).splitlines()[0]
        return [Opaque("SQL", f"the {vendor} parser refuses it: {line}")]
    return [change for tree in parsed if tree is not None for change in _statement(tree)]


def _statement(tree: Any) -> Iterator[Change]:
    from sqlglot import expressions as exp

    table = _table(tree.find(exp.Table))
    if isinstance(tree, exp.Create):
        yield from _create(tree, table)
    elif isinstance(tree, exp.Drop):
        kind = str(tree.args.get("kind") or "").upper()
        table = _table(_dropped(tree))
        if kind == "TABLE":
            yield DropTable(table, bool(tree.args.get("cascade")))
        elif kind == "INDEX":
            yield DropIndex("", table, bool(tree.args.get("concurrently")))
        elif kind in ("DATABASE", "SCHEMA"):
            yield Statement("drop-database" if kind == "DATABASE" else "drop-schema", name=table)
        else:
            yield Statement("drop-" + kind.lower(), name=table)
    elif isinstance(tree, exp.Alter):
        for action in tree.args.get("actions") or []:
            yield from _action(table, action)
    elif isinstance(tree, exp.Update):
        yield Data("update", table, _holds_back(tree.args.get("where")))
    elif isinstance(tree, exp.Delete):
        yield Data("delete", table, _holds_back(tree.args.get("where")))
    elif isinstance(tree, exp.Insert):
        yield Data("insert", table)
    elif isinstance(tree, exp.TruncateTable):
        yield Data("truncate", table, False)
    elif isinstance(tree, exp.Command):
        yield Opaque("SQL", f"{tree.name} statements are not read")
    else:
        yield Statement(type(tree).__name__.lower(), table)


def _table(node: Any) -> str:
    if node is None:
        return ""
    return f"{node.db}.{node.name}" if node.db and node.db != "public" else str(node.name)


def _holds_back(where: Any) -> bool:
    """Whether a condition leaves any row out; `true` and `1 = 1` do not."""
    from sqlglot import expressions as exp

    test = where.this if where is not None else exp.true()
    if isinstance(test, exp.Boolean):
        return not test.this
    return not (isinstance(test, exp.EQ) and test.left == test.right)


def _dropped(node: Any) -> Any:
    """What a DROP is about: sqlglot keeps it in one place or another, by version."""
    return node.this or (node.args.get("tables") or [None])[0]


def _column(node: Any) -> Column:
    from sqlglot import expressions as exp

    kind = node.args.get("kind")
    column = Column(node.name, normal(kind.sql(dialect="postgres")) if kind else "")
    for one in node.args.get("constraints") or []:
        what = one.args.get("kind")
        if isinstance(what, exp.NotNullColumnConstraint) and not what.args.get("allow_null"):
            column = column._replace(nullable=False)
        elif isinstance(what, exp.DefaultColumnConstraint):
            text = what.this.sql()
            if text.upper() != "NULL":
                column = column._replace(default=default_kind(text), default_text=text)
        elif isinstance(what, exp.PrimaryKeyColumnConstraint):
            column = column._replace(primary_key=True, nullable=False)
        elif isinstance(what, exp.UniqueColumnConstraint):
            column = column._replace(unique=True)
        elif isinstance(what, exp.AutoIncrementColumnConstraint):
            column = column._replace(identity=True)
        elif isinstance(what, exp.Reference):
            target = _table(what.find(exp.Table))
            column = column._replace(reference=Reference(target))
    return column


def _create(tree: Any, table: str) -> Iterator[Change]:
    from sqlglot import expressions as exp

    kind = str(tree.args.get("kind") or "").upper()
    if kind == "TABLE":
        columns = tuple(_column(one) for one in tree.find_all(exp.ColumnDef))
        yield CreateTable(table, columns)
    elif kind == "INDEX":
        names = [one.name for one in tree.find_all(exp.Column)]
        index = Index(
            tree.this.name,
            tuple(names),
            bool(tree.args.get("unique")),
            bool(tree.args.get("concurrently")),
        )
        yield AddIndex(table, index)
    else:
        yield Statement("create-" + kind.lower(), table)


def _action(table: str, node: Any) -> Iterator[Change]:
    from sqlglot import expressions as exp

    if isinstance(node, exp.ColumnDef):
        yield AddColumn(table, _column(node))
    elif isinstance(node, exp.AlterColumn):
        kind = node.args.get("dtype")
        nullable = node.args.get("allow_null")
        if kind is not None:
            yield AlterColumn(table, node.name, type=normal(kind.sql(dialect="postgres")))
        elif nullable is not None:
            yield AlterColumn(table, node.name, nullable=bool(nullable))
        else:
            yield AlterColumn(table, node.name, default="" if node.args.get("drop") else "constant")
    elif type(node).__name__ == "ModifyColumn":
        yield from _modify(table, node)
    elif isinstance(node, exp.Drop):
        kind = str(node.args.get("kind") or "").upper()
        name = _dropped(node).name
        if kind == "COLUMN":
            yield DropColumn(table, name)
        elif kind in ("CONSTRAINT", "FOREIGN KEY"):
            yield DropConstraint(table, name)
        else:
            yield DropIndex(table, name)
    elif isinstance(node, exp.RenameColumn):
        yield RenameColumn(table, node.this.name, node.args["to"].name)
    elif type(node).__name__ in ("AlterRename", "RenameTable"):
        yield RenameTable(table, node.this.name)
    elif isinstance(node, exp.AddConstraint):
        for one in node.expressions:
            if type(one).__name__ == "IndexColumnConstraint":
                columns = tuple(column.name for column in one.find_all(exp.Column))
                yield AddIndex(table, Index(one.name, columns))
            else:
                yield AddConstraint(table, _constraint(one))
    else:
        yield Statement("alter-table", table, type(node).__name__)


def _modify(table: str, node: Any) -> Iterator[Change]:
    column = _column(node.this)
    old = node.args.get("rename_from")
    if old is not None and old.name != column.name:
        yield RenameColumn(table, old.name, column.name)
    yield AlterColumn(table, column.name, type=column.type, nullable=column.nullable)


def _constraint(node: Any) -> Constraint:
    from sqlglot import expressions as exp

    name = node.name if isinstance(node, exp.Constraint) else ""
    key = node.find(exp.ForeignKey)
    if key is not None:
        columns = tuple(one.name for one in key.expressions)
        target = key.find(exp.Reference)
        table = _table(target.find(exp.Table)) if target is not None else ""
        return Constraint("foreign-key", name, columns, Reference(table))
    if node.find(exp.PrimaryKey) is not None:
        return Constraint("primary-key", name)
    if node.find(exp.UniqueColumnConstraint) is not None:
        names = tuple(one.name for one in node.find_all(exp.Identifier))
        return Constraint("unique", name, tuple(one for one in names if one != name))
    return Constraint("check", name)
