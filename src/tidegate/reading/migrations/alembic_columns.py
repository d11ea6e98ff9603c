"""SQLAlchemy's columns, types and constraints as the database would hold them."""

from __future__ import annotations

from typing import Any

from tidegate.model.operation import Column, Constraint, Index, Reference
from tidegate.reading.migrations.kinds import Call, Ref, Unknown, is_made
from tidegate.reading.migrations.sql_pgtrees import default_kind

TYPES = {
    "integer": "integer", "int": "integer", "biginteger": "bigint", "bigint": "bigint",
    "smallinteger": "smallint", "smallint": "smallint", "text": "text", "unicodetext": "text",
    "date": "date", "boolean": "boolean", "largebinary": "bytea", "bytea": "bytea",
    "json": "json", "jsonb": "jsonb", "uuid": "uuid", "float": "double precision",
    "double": "double precision", "double_precision": "double precision", "real": "real",
    "inet": "inet", "cidr": "cidr", "tsvector": "tsvector", "hstore": "hstore",
    "interval": "interval", "citext": "citext", "macaddr": "macaddr", "pickletype": "bytea",
    "blob": "bytea", "oid": "oid", "money": "money", "bit": "bit",
}  # fmt: skip
SIZED = {"string": "varchar", "varchar": "varchar", "unicode": "varchar", "nvarchar": "varchar",
         "char": "char", "numeric": "numeric", "decimal": "numeric"}  # fmt: skip


def text_of(value: Any) -> str | Unknown:
    """Return SQL text out of a string, `text("...")` or `op.f("...")`."""
    if isinstance(value, str):
        return value
    if isinstance(value, Call) and value.last in ("text", "f", "DDL", "literal_column"):
        return text_of(value.args[0] if value.args else value.kwargs.get("text"))
    if isinstance(value, Call) and value.receiver is not None:
        return text_of(value.receiver)
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Call):
        return Unknown(f"{value.name}() makes it")
    return Unknown(
        f"{value.name} is made elsewhere" if isinstance(value, Ref) else "it is computed"
    )


def name_of(value: Any) -> str:
    """Return a name, or "" where it is computed."""
    found = text_of(value)
    return found if isinstance(found, str) else ""


def type_of(value: Any, vendor: str = "postgresql") -> tuple[str, tuple[str, ...], str, bool]:
    """Return the type, an enum's values, its type name, and whether `create_type` is not False."""
    if isinstance(value, Ref):
        value = Call(value.name, (), {}, None)  # type: ignore[arg-type]
    if not isinstance(value, Call):
        return "", (), "", True
    if value.last == "with_variant" and value.receiver is not None:
        named = value.args[1:] + tuple(value.kwargs.values())
        other = vendor in [str(one) for one in named]
        return type_of(value.args[0] if other and value.args else value.receiver, vendor)
    name = value.last.lower()
    if name == "enum":
        return _enum(value)
    if name in SIZED:
        numbers = [one for one in value.args if isinstance(one, int)]
        for key in ("length", "precision", "scale"):
            if isinstance(value.kwargs.get(key), int):
                numbers.append(value.kwargs[key])
        size = f"({','.join(map(str, numbers))})" if numbers else ""
        return SIZED[name] + size, (), "", True
    if name in ("datetime", "timestamp", "time"):
        zone = value.kwargs.get("timezone", value.args[0] if value.args else False)
        base = "time" if name == "time" else "timestamp"
        return (base + "tz" if zone is True else base), (), "", True
    if name == "array":
        inner, values, enum, made = type_of(value.args[0] if value.args else None, vendor)
        return (inner or "?") + "[]", values, enum, made
    return TYPES.get(name, "?" + value.last), (), "", True


def _enum(value: Call) -> tuple[str, tuple[str, ...], str, bool]:
    values = tuple(one for one in value.args if isinstance(one, str))
    named = value.kwargs.get("name")
    name = named if isinstance(named, str) else ""
    if not name and value.args and isinstance(value.args[0], Ref):
        name = value.args[0].last.lower()
    if value.kwargs.get("native_enum") is False:
        longest = max((len(one) for one in values), default=0)
        length = value.kwargs.get("length", longest)
        return f"varchar({length})", (), "", True
    made = value.kwargs.get("create_type") is not False
    return name or "?enum", values, name or "?enum", made


def default_of(value: Any) -> tuple[str, str]:
    """Return the kind and text of a `server_default`; "" for None and False."""
    if value is None or value is False:
        return "", ""
    if isinstance(value, str):
        return "constant", value
    if isinstance(value, Call) and value.last in ("text", "literal_column"):
        text = text_of(value)
        text = text if isinstance(text, str) else ""
        return ("", "") if text.strip().upper() == "NULL" else (default_kind(text), text)
    if isinstance(value, Call):
        return default_kind(value.last + "("), value.last + "()"
    return "constant", ""


def column_of(value: Any, vendor: str = "postgresql") -> Column | None:
    """Return the column of a `sa.Column(...)`."""
    if not isinstance(value, Call) or value.last != "Column":
        return None
    args, kwargs = list(value.args), value.kwargs
    name = kwargs.get("name", args.pop(0) if args else "")
    name = name_of(name)
    kind = kwargs.get("type_", args.pop(0) if args and not _is_part(args[0]) else None)
    type, values, enum_name, made = type_of(kind, vendor)
    key = kwargs.get("primary_key") is True
    default, text = default_of(kwargs.get("server_default"))
    nullable = kwargs.get("nullable")
    out = Column(
        name=name,
        type=type,
        nullable=not key if nullable is None else nullable is not False,
        default=default,
        default_text=text,
        code_default="constant" if kwargs.get("default") is not None else "",
        primary_key=key,
        unique=kwargs.get("unique") is True,
        indexed=kwargs.get("index") is True,
        identity=key and type in ("integer", "bigint", "smallint")
        and kwargs.get("autoincrement", True) is not False,
        enum=values,
        enum_name=enum_name if made else "",
    )  # fmt: skip
    for one in (*args, kwargs.get("server_default")):
        out = _with_part(out, one)
    return out


def checks_of(value: Any) -> list[Constraint]:
    """Return the CHECKs that `sa.Column(...)` brings along, of its own or of its type."""
    if not isinstance(value, Call) or value.last != "Column":
        return []
    found = [constraint_of(one) for one in value.args]
    checks = [one for one in found if one is not None and one.kind == "check"]
    return checks + [one for part in value.args for one in checks_of_type(part)]


def checks_of_type(value: Any) -> list[Constraint]:
    """Return the CHECK of a type that keeps its values in one: an Enum that is not native."""
    if not isinstance(value, Call) or value.last.lower() != "enum":
        return []
    words = value.kwargs
    if words.get("native_enum") is not False or words.get("create_constraint") is not True:
        return []
    return [Constraint("check", name_of(words.get("name", "")))]


def _is_part(value: Any) -> bool:
    return isinstance(value, Call) and value.last in (
        "ForeignKey", "Identity", "Computed", "Sequence", "CheckConstraint",
    )  # fmt: skip


def _with_part(column: Column, one: Any) -> Column:
    if not isinstance(one, Call):
        return column
    if one.last == "ForeignKey":
        target = name_of(one.args[0] if one.args else one.kwargs.get("column"))
        table, _, key = target.rpartition(".")
        return column._replace(reference=Reference(table, (key,)))
    if one.last in ("Identity", "Sequence"):
        return column._replace(identity=True, default="")
    if one.last == "Computed":
        kept = one.kwargs.get("persisted", True) is not False
        return column._replace(generated="stored" if kept else "virtual", default="")
    return column


def constraint_of(value: Any) -> Constraint | None:
    """Return the constraint of a `sa.UniqueConstraint(...)` and its like."""
    if not isinstance(value, Call):
        return None
    name = name_of(value.kwargs.get("name", ""))
    if value.last in ("UniqueConstraint", "PrimaryKeyConstraint"):
        kind = "unique" if value.last == "UniqueConstraint" else "primary-key"
        return Constraint(kind, name, names_of(value.args))
    if value.last == "CheckConstraint":
        text = name_of(value.args[0] if value.args else "")
        return Constraint("check", name, text=text, not_null_of=not_null_of(text))
    if value.last == "ForeignKeyConstraint":
        local = names_of(value.args[0] if value.args else ())
        remote = names_of(value.args[1] if len(value.args) > 1 else ())
        table = remote[0].rpartition(".")[0] if remote else ""
        columns = tuple(one.rpartition(".")[2] for one in remote)
        return Constraint("foreign-key", name, local, Reference(table, columns))
    if value.last == "ExcludeConstraint":
        return Constraint("exclude", name)
    return None


def not_null_of(text: str) -> str:
    """Return the column of a condition that says IS NOT NULL and nothing else."""
    words = text.strip().strip("()").split()
    if [one.upper() for one in words[1:]] == ["IS", "NOT", "NULL"]:
        return words[0].strip('"').rpartition(".")[2]
    return ""


def names_of(values: Any) -> tuple[str, ...]:
    """Return the column names in a list; expressions are left out."""
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, list | tuple) or is_made(values):
        return ()
    out = []
    for one in values:
        if isinstance(one, str):
            out.append(one)
        elif isinstance(one, Call) and one.last == "f":
            out.append(name_of(one))
        elif isinstance(one, Call) and one.last in ("text", "column", "literal_column"):
            found = name_of(one.args[0] if one.args else "")
            plain = found.split()[0] if found.split() else ""
            if plain.isidentifier():
                out.append(plain)
    return tuple(out)


def index_of(value: Call) -> Index:
    """Return the index of a `sa.Index("name", "column", ...)` inside create_table."""
    return Index(name_of(value.args[0] if value.args else ""), names_of(value.args[1:]))
