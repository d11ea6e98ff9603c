"""What statements do to tables, columns, indexes, constraints and types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    AlterType,
    Change,
    Column,
    Constraint,
    CreateTable,
    CreateType,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    RenameColumn,
    RenameIndex,
    RenameTable,
    Statement,
    ValidateConstraint,
)
from tidegate.reading.migrations.sql_pgtrees import (
    Tree,
    column_of,
    constraint_of,
    default_of,
    names_of,
    relation,
    text_of,
    type_of,
)


def _create_table(tree: Tree) -> Iterator[Change]:
    if (tree.get("relation") or {}).get("relpersistence") == "t":
        yield Statement("temporary-table", relation(tree.get("relation")))
        return
    columns: list[Column] = []
    constraints: list[Constraint] = []
    for one in tree.get("tableElts", []):
        if "ColumnDef" in one:
            column, more = column_of(one["ColumnDef"])
            columns.append(column)
            constraints += more
        elif "Constraint" in one:
            constraints.append(constraint_of(one["Constraint"]))
    yield CreateTable(
        relation(tree.get("relation")),
        tuple(columns),
        tuple(constraints),
        if_not_exists=tree.get("if_not_exists", False),
    )


def _view(tree: Tree) -> Iterator[Change]:
    yield Statement("view", name=relation(tree.get("view")))


def _create_as(tree: Tree) -> Iterator[Change]:
    target = relation((tree.get("into") or {}).get("rel"))
    if tree.get("objtype") == "OBJECT_MATVIEW":
        yield Statement("create-materialized-view", target)
    else:
        yield CreateTable(target)


def _alter_table(tree: Tree) -> Iterator[Change]:
    table = relation(tree.get("relation"))
    if tree.get("objtype") not in (None, "OBJECT_TABLE", "OBJECT_MATVIEW", "OBJECT_INDEX"):
        yield Statement("alter-" + str(tree.get("objtype", "")).lower().removeprefix("object_"))
        return
    for wrapped in tree.get("cmds", []):
        yield from _command(table, wrapped.get("AlterTableCmd", {}))


def _command(table: str, tree: Tree) -> Iterator[Change]:
    what = tree.get("subtype", "").removeprefix("AT_")
    name = tree.get("name", "")
    define = tree.get("def") or {}
    cascade = tree.get("behavior") == "DROP_CASCADE"
    if what == "AddColumn":
        column, more = column_of(define.get("ColumnDef", {}))
        yield AddColumn(table, column)
        if column.unique:
            yield AddConstraint(table, Constraint("unique", "", (column.name,)), "UNIQUE")
        if column.primary_key:
            yield AddConstraint(table, Constraint("primary-key", "", (column.name,)), "PRIMARY KEY")
        for one in more:  # every row is read, be the column empty in all of them
            yield AddConstraint(table, one, "CHECK")
    elif what == "DropColumn":
        yield DropColumn(table, name, cascade)
    elif what == "AlterColumnType":
        inner = define.get("ColumnDef", {})
        using = "" if _is_plain(inner.get("raw_default"), name) else "using"
        collation = "yes" if inner.get("collClause") else ""
        kind = type_of(inner.get("typeName", {}))
        yield AlterColumn(table, name, type=kind, using=using, collation=collation)
    elif what in ("SetNotNull", "DropNotNull"):
        yield AlterColumn(table, name, nullable=what == "DropNotNull")
    elif what == "ColumnDefault":
        yield AlterColumn(table, name, default=default_of(define) if define else "")
    elif what == "AddIdentity":
        yield AlterColumn(table, name, identity=True)
    elif what == "AddConstraint":
        yield AddConstraint(table, constraint_of(define.get("Constraint", {})))
    elif what == "DropConstraint":
        yield DropConstraint(table, name, cascade=cascade)
    elif what == "ValidateConstraint":
        yield ValidateConstraint(table, name)
    elif what in ("AttachPartition", "DetachPartition"):
        part = define.get("PartitionCmd", {})
        detail = "concurrently" if part.get("concurrent") else ""
        verb = "attach-partition" if what == "AttachPartition" else "detach-partition"
        yield Statement(verb, table, detail, relation(part.get("name")))
    elif what in ("SetTableSpace", "SetLogged", "SetUnLogged", "SetAccessMethod"):
        yield Statement("move-storage", table, what)
    elif "Trig" in what:
        yield Statement("trigger", table, what, name)
    elif "RowSecurity" in what:
        yield Statement("privileges", table, "row level security")
    elif what == "ClusterOn":
        yield Statement("alter-table", table, what)
    else:
        yield Statement("alter-table", table, what)


def _is_plain(tree: Tree | None, column: str) -> bool:
    """Whether a USING expression is the column itself, or a cast of it."""
    while tree and "TypeCast" in tree:
        tree = tree["TypeCast"].get("arg")
    if not tree:
        return True
    return names_of((tree.get("ColumnRef") or {}).get("fields"))[-1:] == (column,)


def _index(tree: Tree) -> Iterator[Change]:
    parts = [one.get("IndexElem", {}) for one in tree.get("indexParams", [])]
    columns = tuple(part["name"] for part in parts if part.get("name"))
    index = Index(
        tree.get("idxname", ""),
        columns,
        tree.get("unique", False),
        tree.get("concurrent", False),
        tree.get("accessMethod", ""),
        bool(tree.get("whereClause")),
        any("expr" in part for part in parts),
    )
    table = relation(tree.get("relation"))
    yield AddIndex(table, index, if_not_exists=tree.get("if_not_exists", False))


def _drop(tree: Tree) -> Iterator[Change]:
    cascade = tree.get("behavior") == "DROP_CASCADE"
    kind = tree.get("removeType", "")
    for one in tree.get("objects", []):
        names = names_of((one.get("List") or {}).get("items")) or names_of([one])
        if "ObjectWithArgs" in one:
            names = names_of(one["ObjectWithArgs"].get("objname"))
        if "TypeName" in one:
            names = names_of(one["TypeName"].get("names"))
        name = ".".join(part for part in names if part != "public")
        if kind == "OBJECT_TABLE":
            yield DropTable(name, cascade)
        elif kind == "OBJECT_INDEX":
            yield DropIndex("", names[-1], tree.get("concurrent", False))
        elif kind == "OBJECT_SCHEMA":
            yield Statement("drop-schema", "", "cascade" if cascade else "", name)
        elif kind == "OBJECT_TYPE":
            yield AlterType(names[-1], "drop")
            if cascade:
                yield Statement("drop-type", "", "cascade", name)
        elif kind == "OBJECT_TRIGGER":
            yield Statement("trigger", ".".join(names[:-1]), "drop", names[-1])
        else:
            verb = "drop-" + kind.lower().removeprefix("object_")
            yield Statement(verb, "", "cascade" if cascade else "", name)


def _rename(tree: Tree) -> Iterator[Change]:
    table, new = relation(tree.get("relation")), tree.get("newname", "")
    what = tree.get("renameType")
    if what == "OBJECT_TABLE":
        yield RenameTable(table, new)
    elif what == "OBJECT_COLUMN":
        yield RenameColumn(table, tree.get("subname", ""), new)
    elif what == "OBJECT_INDEX":
        yield RenameIndex("", table, new)
    elif what == "OBJECT_TYPE":
        items = ((tree.get("object") or {}).get("List") or {}).get("items")
        yield AlterType((names_of(items) or ("",))[-1], "rename", new=new)
    elif what == "OBJECT_SCHEMA":
        yield Statement("rename-schema", "", new, tree.get("subname", ""))
    else:
        yield Statement("rename", table, str(what).lower().removeprefix("object_"), new)


def _enum(tree: Tree) -> Iterator[Change]:
    name = (names_of(tree.get("typeName")) or ("",))[-1]
    values = tuple(text_of(one) for one in tree.get("vals", []))
    yield CreateType(name, values)


def _alter_enum(tree: Tree) -> Iterator[Change]:
    name = (names_of(tree.get("typeName")) or ("",))[-1]
    if tree.get("oldVal"):
        yield AlterType(name, "rename-value", tree["oldVal"], tree.get("newVal", ""))
    else:
        yield AlterType(name, "add", tree.get("newVal", ""))


SCHEMA: dict[str, Any] = {
    "CreateStmt": _create_table,
    "CreateTableAsStmt": _create_as,
    "AlterTableStmt": _alter_table,
    "IndexStmt": _index,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "CreateEnumStmt": _enum,
    "AlterEnumStmt": _alter_enum,
    "ViewStmt": _view,
}
