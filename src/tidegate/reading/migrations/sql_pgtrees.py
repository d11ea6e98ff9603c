"""PostgreSQL's parse trees: names, types, columns and constraints as values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import Column, Constraint, Reference
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


def relation(tree: Tree | None) -> str:
    """Return a table's name; the default schema is left out."""
    if not tree:
        return ""
    schema = tree.get("schemaname", "")
    name: str = tree.get("relname", "")
    return f"{schema}.{name}" if schema and schema != "public" else name


def text_of(node: Tree) -> str:
    """Return a string node's text."""
    return str((node.get("String") or {}).get("sval", ""))


def names_of(nodes: list[Tree] | None) -> tuple[str, ...]:
    """Return the texts of string nodes."""
    return tuple(name for node in nodes or [] if (name := text_of(node)))


def type_of(tree: Tree) -> str:
    """Return a type as PostgreSQL writes it."""
    names = [name for name in names_of(tree.get("names")) if name != "pg_catalog"]
    mods = [str(found) for mod in tree.get("typmods", []) if (found := integer_of(mod)) is not None]
    text = ".".join(names) + (f"({','.join(mods)})" if mods else "")
    if text.startswith("interval("):
        text = "interval"
    return normal(text) + "[]" * len(tree.get("arrayBounds", []))


def integer_of(node: Tree) -> int | None:
    """Return an integer constant; None for anything else."""
    const = node.get("A_Const") or {}
    if "ival" in const:
        return int(const["ival"].get("ival", 0))
    return None


def functions(node: Any) -> Iterator[str]:
    """Yield the names of the functions that an expression calls."""
    if isinstance(node, dict):
        if "FuncCall" in node:
            yield names_of(node["FuncCall"].get("funcname"))[-1]
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


def default_of(tree: Any) -> str:
    """Return `constant` or `volatile` for a DEFAULT's tree."""
    called = {name.lower() for name in functions(tree)}
    return "volatile" if called & VOLATILE else "constant"


def column_of(tree: Tree) -> tuple[Column, list[Constraint]]:
    """Return a column; its own CHECK constraints beside it."""
    kind = tree.get("typeName") or {}
    raw = (names_of(kind.get("names")) or ("",))[-1]
    column = Column(tree.get("colname", ""), type_of(kind))
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
            column = column._replace(default=default_of(one.get("raw_expr")))
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
            reference = Reference(target, names_of(one.get("pk_attrs")))
            column = column._replace(reference=reference)
        elif what == "CONSTR_CHECK":
            column = column._replace(check=True)
            more.append(constraint_of(one))
    return column, more


def constraint_of(tree: Tree) -> Constraint:
    """Return a table's constraint."""
    kinds = {
        "CONSTR_FOREIGN": "foreign-key",
        "CONSTR_CHECK": "check",
        "CONSTR_UNIQUE": "unique",
        "CONSTR_PRIMARY": "primary-key",
        "CONSTR_EXCLUSION": "exclude",
        "CONSTR_NOTNULL": "not-null",
    }
    kind = kinds.get(tree.get("contype", ""), "check")
    columns = names_of(tree.get("fk_attrs") or tree.get("keys"))
    if kind == "check":
        columns = tuple(sorted(set(_columns(tree.get("raw_expr")))))
    reference = None
    if kind == "foreign-key":
        reference = Reference(relation(tree.get("pktable")), names_of(tree.get("pk_attrs")))
    return Constraint(
        kind,
        tree.get("conname", ""),
        columns,
        reference,
        valid=not tree.get("skip_validation", False),
        using_index=tree.get("indexname", ""),
        not_null_of=_not_null_of(tree.get("raw_expr")) if kind == "check" else "",
    )


def _columns(node: Any) -> Iterator[str]:
    """Yield the columns that an expression names."""
    if isinstance(node, dict):
        if "ColumnRef" in node:
            yield (names_of(node["ColumnRef"].get("fields", [])) or ("",))[-1]
        for inner in node.values():
            yield from _columns(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _columns(inner)


def _not_null_of(tree: Tree | None) -> str:
    test = (tree or {}).get("NullTest") or {}
    if test.get("nulltesttype") != "IS_NOT_NULL":
        return ""
    fields = (test.get("arg", {}).get("ColumnRef") or {}).get("fields", [])
    return (names_of(fields) or ("",))[-1]
