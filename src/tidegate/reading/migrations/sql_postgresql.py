"""SQL by PostgreSQL's own grammar (pgparse: libpg_query) into changes.

`changes` returns None where the grammar is not installed: the caller says that it could not see.
"""

from __future__ import annotations

import re
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
    Data,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Opaque,
    Reference,
    RenameColumn,
    RenameIndex,
    RenameTable,
    Statement,
    ValidateConstraint,
)
from tidegate.model.sqltype import normal

VOLATILE = {
    "gen_random_uuid", "uuid_generate_v4", "uuid_generate_v1", "uuid_generate_v1mc", "random",
    "clock_timestamp", "timeofday", "nextval", "gen_random_bytes", "uuidv4", "uuidv7", "setval",
}  # fmt: skip
STABLE = {
    "now", "transaction_timestamp", "statement_timestamp", "current_setting", "lower", "upper",
    "concat", "md5", "to_char", "jsonb_build_object", "jsonb_build_array", "array", "timezone",
    "current_schema", "coalesce", "date_trunc", "make_interval", "to_timestamp", "to_tsvector",
    "json_build_object", "to_jsonb", "array_fill", "length", "left", "right", "abs",
}  # fmt: skip
SERIAL = {"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"}
Tree = dict[str, Any]


def changes(sql: str) -> list[Change] | None:
    """Return what each statement does, in order."""
    try:
        import pgparse
    except ImportError:
        return None
    text = _placeholders(sql)
    try:
        parsed = pgparse.parse(text)
    except pgparse.PGQueryError as error:
        return [Opaque("SQL", f"PostgreSQL's grammar refuses it: {str(error).splitlines()[0]}")]
    out: list[Change] = []
    for one in parsed:
        statement = one.get("stmt") or {}
        for kind, tree in statement.items():
            handler = _HANDLERS.get(kind)
            out += list(handler(tree)) if handler else [Statement(_words(kind))]
    return out


def _placeholders(sql: str) -> str:
    """Drivers' placeholders (%s, %(name)s) and doubled percent signs are not the grammar's."""
    if "%" in sql:
        sql = re.sub(r"%\(\w+\)s|%s", "NULL", sql).replace("%%", "%")
    if ":" in sql:  # SQLAlchemy's :name; casts and times stay
        sql = re.sub(r"(?<![:\w'\"])(?<!\d):([A-Za-z_]\w*)\b(?!')", "NULL", sql)
        sql = sql.replace("\\:", ":")
    return sql


def _words(kind: str) -> str:
    name = kind.removesuffix("Stmt")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def relation(tree: Tree | None) -> str:
    """Return a table's name; the default schema is left out."""
    if not tree:
        return ""
    schema = tree.get("schemaname", "")
    name: str = tree.get("relname", "")
    return f"{schema}.{name}" if schema and schema != "public" else name


def _text(node: Tree) -> str:
    return str((node.get("String") or {}).get("sval", ""))


def _names(nodes: list[Tree] | None) -> tuple[str, ...]:
    return tuple(name for node in nodes or [] if (name := _text(node)))


def _type(tree: Tree) -> str:
    names = [name for name in _names(tree.get("names")) if name != "pg_catalog"]
    mods = [str(found) for mod in tree.get("typmods", []) if (found := _integer(mod)) is not None]
    text = ".".join(names) + (f"({','.join(mods)})" if mods else "")
    if text.startswith("interval("):
        text = "interval"
    return normal(text) + "[]" * len(tree.get("arrayBounds", []))


def _integer(node: Tree) -> int | None:
    const = node.get("A_Const") or {}
    if "ival" in const:
        return int(const["ival"].get("ival", 0))
    return None


def functions(node: Any) -> Iterator[str]:
    """Yield the names of the functions that an expression calls."""
    if isinstance(node, dict):
        if "FuncCall" in node:
            yield _names(node["FuncCall"].get("funcname"))[-1]
        for inner in node.values():
            yield from functions(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from functions(inner)


def strings(node: Any) -> Iterator[str]:
    """Yield the string constants of a tree."""
    if isinstance(node, dict):
        if "A_Const" in node and "sval" in node["A_Const"]:
            yield str(node["A_Const"]["sval"].get("sval", ""))
        for inner in node.values():
            yield from strings(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from strings(inner)


def default_kind(expression: str) -> str:
    """Return `constant` or `volatile` for the text of a DEFAULT expression."""
    called = set(re.findall(r"(\w+)\s*\(", expression.lower()))
    if called & VOLATILE:
        return "volatile"
    return "constant"


def _default(tree: Any) -> str:
    called = {name.lower() for name in functions(tree)}
    return "volatile" if called & VOLATILE else "constant"


def _column(tree: Tree) -> tuple[Column, list[Constraint]]:
    """Return a column; its own CHECK constraints beside it."""
    kind = tree.get("typeName") or {}
    raw = (_names(kind.get("names")) or ("",))[-1]
    column = Column(tree.get("colname", ""), _type(kind))
    if raw in SERIAL:
        column = column._replace(identity=True, nullable=False)
    more: list[Constraint] = []
    for wrapped in tree.get("constraints", []):
        one = wrapped.get("Constraint", {})
        what = one.get("contype", "")
        if what == "CONSTR_NOTNULL":
            column = column._replace(nullable=False)
        elif what == "CONSTR_DEFAULT" and "A_Const" in one.get("raw_expr", {}):
            if not one["raw_expr"]["A_Const"].get("isnull"):
                text = ", ".join(strings(one["raw_expr"]))
                column = column._replace(default="constant", default_text=text)
        elif what == "CONSTR_DEFAULT":
            column = column._replace(default=_default(one.get("raw_expr")))
        elif what == "CONSTR_PRIMARY":
            column = column._replace(primary_key=True, nullable=False)
        elif what == "CONSTR_UNIQUE":
            column = column._replace(unique=True)
        elif what == "CONSTR_IDENTITY":
            column = column._replace(identity=True, nullable=False)
        elif what == "CONSTR_GENERATED":
            kept = one.get("generated_kind", "s")
            column = column._replace(generated="virtual" if kept == "v" else "stored")
        elif what == "CONSTR_FOREIGN":
            target = relation(one.get("pktable"))
            reference = Reference(target, _names(one.get("pk_attrs")))
            column = column._replace(reference=reference)
        elif what == "CONSTR_CHECK":
            column = column._replace(check=True)
            more.append(_constraint(one))
    return column, more


def _constraint(tree: Tree) -> Constraint:
    kinds = {
        "CONSTR_FOREIGN": "foreign-key",
        "CONSTR_CHECK": "check",
        "CONSTR_UNIQUE": "unique",
        "CONSTR_PRIMARY": "primary-key",
        "CONSTR_EXCLUSION": "exclude",
        "CONSTR_NOTNULL": "not-null",
    }
    kind = kinds.get(tree.get("contype", ""), "check")
    columns = _names(tree.get("fk_attrs") or tree.get("keys"))
    reference = None
    if kind == "foreign-key":
        reference = Reference(relation(tree.get("pktable")), _names(tree.get("pk_attrs")))
    return Constraint(
        kind,
        tree.get("conname", ""),
        columns,
        reference,
        valid=not tree.get("skip_validation", False),
        using_index=tree.get("indexname", ""),
        not_null_of=_not_null_of(tree.get("raw_expr")) if kind == "check" else "",
    )


def _not_null_of(tree: Tree | None) -> str:
    test = (tree or {}).get("NullTest") or {}
    if test.get("nulltesttype") != "IS_NOT_NULL":
        return ""
    fields = (test.get("arg", {}).get("ColumnRef") or {}).get("fields", [])
    return (_names(fields) or ("",))[-1]


def _create_table(tree: Tree) -> Iterator[Change]:
    if (tree.get("relation") or {}).get("relpersistence") == "t":
        yield Statement("temporary-table", relation(tree.get("relation")))
        return
    columns: list[Column] = []
    constraints: list[Constraint] = []
    for one in tree.get("tableElts", []):
        if "ColumnDef" in one:
            column, more = _column(one["ColumnDef"])
            columns.append(column)
            constraints += more
        elif "Constraint" in one:
            constraints.append(_constraint(one["Constraint"]))
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
        column, more = _column(define.get("ColumnDef", {}))
        yield AddColumn(table, column)
        if column.unique:
            yield AddConstraint(table, Constraint("unique", "", (column.name,)), "UNIQUE")
        if column.primary_key:
            yield AddConstraint(table, Constraint("primary-key", "", (column.name,)), "PRIMARY KEY")
        for one in more:
            if column.default:  # over a new column of NULLs a CHECK is free; this one scans
                yield AddConstraint(table, one, "CHECK")
    elif what == "DropColumn":
        yield DropColumn(table, name, cascade)
    elif what == "AlterColumnType":
        inner = define.get("ColumnDef", {})
        using = "" if _is_plain(inner.get("raw_default"), name) else "using"
        collation = "yes" if inner.get("collClause") else ""
        kind = _type(inner.get("typeName", {}))
        yield AlterColumn(table, name, type=kind, using=using, collation=collation)
    elif what in ("SetNotNull", "DropNotNull"):
        yield AlterColumn(table, name, nullable=what == "DropNotNull")
    elif what == "ColumnDefault":
        yield AlterColumn(table, name, default=_default(define) if define else "")
    elif what == "AddIdentity":
        yield AlterColumn(table, name, identity=True)
    elif what == "AddConstraint":
        yield AddConstraint(table, _constraint(define.get("Constraint", {})))
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
    return _names((tree.get("ColumnRef") or {}).get("fields"))[-1:] == (column,)


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
        names = _names((one.get("List") or {}).get("items")) or _names([one])
        if "TypeName" in one:
            names = _names(one["TypeName"].get("names"))
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
        yield AlterType((_names(items) or ("",))[-1], "rename", new=new)
    elif what == "OBJECT_SCHEMA":
        yield Statement("rename-schema", "", new, tree.get("subname", ""))
    else:
        yield Statement("rename", table, str(what).lower().removeprefix("object_"), new)


def _enum(tree: Tree) -> Iterator[Change]:
    name = (_names(tree.get("typeName")) or ("",))[-1]
    values = tuple(_text(one) for one in tree.get("vals", []))
    yield CreateType(name, values)


def _alter_enum(tree: Tree) -> Iterator[Change]:
    name = (_names(tree.get("typeName")) or ("",))[-1]
    if tree.get("oldVal"):
        yield AlterType(name, "rename-value", tree["oldVal"], tree.get("newVal", ""))
    else:
        yield AlterType(name, "add", tree.get("newVal", ""))


def _update(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    columns = tuple(
        one["ResTarget"].get("name", "") for one in tree.get("targetList", []) if "ResTarget" in one
    )
    yield Data(
        "update",
        relation(tree.get("relation")),
        bool(tree.get("whereClause")),
        values=tuple(strings(tree)),
        columns=columns,
        batched="limitCount" in str(tree.get("whereClause")),
    )


def _delete(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    bounded = bool(tree.get("whereClause"))
    table = relation(tree.get("relation"))
    yield Data("delete", table, bounded, batched="limitCount" in str(tree.get("whereClause")))


def _insert(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    select = (tree.get("selectStmt") or {}).get("SelectStmt") or {}
    from_table = bool(select.get("fromClause"))
    where = bool(select.get("whereClause") or select.get("limitCount"))
    table = relation(tree.get("relation"))
    yield Data("insert", table, where or not from_table, values=tuple(strings(tree)))


def _with(tree: Tree) -> Iterator[Change]:
    """Data-changing statements inside WITH."""
    for one in (tree.get("withClause") or {}).get("ctes", []):
        query = (one.get("CommonTableExpr") or {}).get("ctequery") or {}
        for kind in ("UpdateStmt", "DeleteStmt", "InsertStmt"):
            if kind in query:
                yield from _HANDLERS[kind](query[kind])


def _select(tree: Tree) -> Iterator[Change]:
    yield from _with(tree)
    called = [name.lower() for name in functions(tree)]
    if tree.get("intoClause"):
        yield CreateTable(relation(tree["intoClause"].get("rel")))
        return
    yield Statement("select", detail=" ".join(called))


def _truncate(tree: Tree) -> Iterator[Change]:
    cascade = tree.get("behavior") == "DROP_CASCADE"
    for one in tree.get("relations", []):
        yield Data("truncate", relation(one.get("RangeVar")), False, cascade)


def _vacuum(tree: Tree) -> Iterator[Change]:
    options = [one.get("DefElem", {}).get("defname", "") for one in tree.get("options", [])]
    rels = [one.get("VacuumRelation", {}) for one in tree.get("rels", [])] or [{}]
    verb = "vacuum" if tree.get("is_vacuumcmd", True) else "analyze"
    for one in rels:
        full = "full" if "full" in options else ""
        yield Statement(verb, relation(one.get("relation")), full)


def _reindex(tree: Tree) -> Iterator[Change]:
    options = [one.get("DefElem", {}).get("defname", "") for one in tree.get("params", [])]
    name = relation(tree.get("relation")) or tree.get("name", "")
    detail = "concurrently" if "concurrently" in options else ""
    yield Statement("reindex", "", detail, name)


def _refresh(tree: Tree) -> Iterator[Change]:
    detail = "concurrently" if tree.get("concurrent") else ""
    yield Statement("refresh", relation(tree.get("relation")), detail)


def _lock(tree: Tree) -> Iterator[Change]:
    modes = ("", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE",
             "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")  # fmt: skip
    mode = modes[min(int(tree.get("mode", 0)), 8)]
    for one in tree.get("relations", []):
        yield Statement("lock", relation(one.get("RangeVar")), mode)


def _set(tree: Tree) -> Iterator[Change]:
    value = ", ".join([*strings(tree.get("args", []))])
    for one in tree.get("args", []):
        number = _integer(one)
        value = value or ("" if number is None else str(number))
    yield Statement("set", "", value, tree.get("name", ""))


def _transaction(tree: Tree) -> Iterator[Change]:
    kind = tree.get("kind", "").removeprefix("TRANS_STMT_").lower()
    yield Statement("transaction", "", kind)


def _trigger(tree: Tree) -> Iterator[Change]:
    yield Statement("trigger", relation(tree.get("relation")), "create", tree.get("trigname", ""))


def _do(tree: Tree) -> Iterator[Change]:
    body = " ".join(
        str((one.get("DefElem", {}).get("arg", {}).get("String") or {}).get("sval", ""))
        for one in tree.get("args", [])
    )
    yield from block(body)


def block(body: str) -> Iterator[Change]:
    """Yield the plain statements of a DO block; what it executes as text is opaque."""
    if re.search(r"\bEXECUTE\b", body, re.IGNORECASE):
        yield Opaque("DO block", "it runs text that it puts together")
        return
    inner = re.sub(r"(?is)^\s*(declare.*?)?\bbegin\b", "", body)
    pieces = re.split(r"(?is);|\bthen\b|\belse\b|\bloop\b|\bexception\b", inner)
    found = False
    for piece in pieces:
        words = piece.strip().lower().split(maxsplit=1)
        if words and words[0] in ("alter", "create", "drop", "update", "delete", "insert",
                                  "truncate", "lock"):  # fmt: skip
            for change in changes(piece) or []:
                found = True
                yield change
    if not found:
        yield Statement("do")


def _privileges(tree: Tree) -> Iterator[Change]:
    yield Statement("privileges")


def _drop_database(tree: Tree) -> Iterator[Change]:
    yield Statement("drop-database", name=tree.get("dbname", ""))


def _copy(tree: Tree) -> Iterator[Change]:
    if tree.get("is_from"):
        yield Data("copy", relation(tree.get("relation")))


def _cluster(tree: Tree) -> Iterator[Change]:
    yield Statement("cluster", relation(tree.get("relation")))


def _move(tree: Tree) -> Iterator[Change]:
    table = relation(tree.get("relation"))
    if tree.get("objectType") == "OBJECT_TABLE":
        yield RenameTable(table, f"{tree.get('newschema', '')}.{table}")
    else:
        yield Statement("set-schema", table)


_HANDLERS: dict[str, Any] = {
    "CreateStmt": _create_table,
    "CreateTableAsStmt": _create_as,
    "AlterTableStmt": _alter_table,
    "IndexStmt": _index,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "CreateEnumStmt": _enum,
    "AlterEnumStmt": _alter_enum,
    "UpdateStmt": _update,
    "DeleteStmt": _delete,
    "InsertStmt": _insert,
    "SelectStmt": _select,
    "TruncateStmt": _truncate,
    "VacuumStmt": _vacuum,
    "ReindexStmt": _reindex,
    "RefreshMatViewStmt": _refresh,
    "LockStmt": _lock,
    "VariableSetStmt": _set,
    "TransactionStmt": _transaction,
    "CreateTrigStmt": _trigger,
    "ViewStmt": _view,
    "DoStmt": _do,
    "GrantStmt": _privileges,
    "GrantRoleStmt": _privileges,
    "CreatePolicyStmt": _privileges,
    "DropdbStmt": _drop_database,
    "CopyStmt": _copy,
    "ClusterStmt": _cluster,
    "AlterObjectSchemaStmt": _move,
}
