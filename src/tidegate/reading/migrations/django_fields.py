"""Django's fields as columns: what the schema editor would write for PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tidegate.model.operation import Column, Reference
from tidegate.reading.migrations.kinds import Call, Ref, Unknown, is_made
from tidegate.reading.migrations.sql_pgtrees import VOLATILE

PLAIN = {
    "AutoField": "integer", "BigAutoField": "bigint", "SmallAutoField": "smallint",
    "BigIntegerField": "bigint", "BinaryField": "bytea", "BooleanField": "boolean",
    "NullBooleanField": "boolean", "DateField": "date", "DateTimeField": "timestamptz",
    "DurationField": "interval", "FloatField": "double precision", "IntegerField": "integer",
    "GenericIPAddressField": "inet", "IPAddressField": "inet", "JSONField": "jsonb",
    "PositiveBigIntegerField": "bigint", "PositiveIntegerField": "integer",
    "PositiveSmallIntegerField": "smallint", "SmallIntegerField": "smallint",
    "TextField": "text", "TimeField": "time", "UUIDField": "uuid", "HStoreField": "hstore",
    "CITextField": "citext", "CICharField": "citext", "CIEmailField": "citext",
    "SearchVectorField": "tsvector", "IntegerRangeField": "int4range",
    "BigIntegerRangeField": "int8range", "DecimalRangeField": "numrange",
    "DateTimeRangeField": "tstzrange", "DateRangeField": "daterange",
}  # fmt: skip
LENGTHS = {"CharField": 0, "EmailField": 254, "SlugField": 50, "URLField": 200,
           "FilePathField": 100, "FileField": 100, "ImageField": 100,
           "CommaSeparatedIntegerField": 0}  # fmt: skip
AUTO = ("AutoField", "BigAutoField", "SmallAutoField")
RELATIONS = ("ForeignKey", "OneToOneField", "ParentalKey")
MANY = ("ManyToManyField", "ParentalManyToManyField")
NOT_COMPARED = {  # by Django's schema editor: any other difference makes it alter the field
    "blank", "choices", "editable", "error_messages", "help_text", "limit_choices_to", "on_delete",
    "related_name", "related_query_name", "validators", "verbose_name", "db_column",
}  # fmt: skip
NOT_IN_DATABASE = NOT_COMPARED | {
    "default", "auto_now", "auto_now_add", "upload_to", "storage", "serialize", "parent_link",
    "swappable", "encoder", "decoder", "unpack_ipv4", "width_field", "height_field", "path",
    "unique_for_date", "unique_for_month", "unique_for_year", "auto_created", "allow_unicode",
}  # fmt: skip
UNSAID = {"null": False, "unique": False, "primary_key": False, "db_constraint": True,
          "db_column": None, "db_collation": None, "db_comment": None, "to_field": None,
          }  # fmt: skip
CHECKED = ("PositiveIntegerField", "PositiveSmallIntegerField", "PositiveBigIntegerField")


class Lookup:
    """Finds a model's table and key, for the fields that point to it."""

    def table(self, target: str) -> str:
        """Return the table of `app.Model`."""
        raise NotImplementedError

    def key(self, target: str) -> Column | None:
        """Return its primary key."""
        raise NotImplementedError


def target_of(field: Call, app: str, model: str, user: str) -> str:
    """Return `app.model` that a relation points to, in lower case."""
    to = field.kwargs.get("to", field.args[0] if field.args else None)
    if isinstance(to, Ref):
        return user.lower() if to.last == "AUTH_USER_MODEL" else f"?.{to.last.lower()}"
    if not isinstance(to, str):
        return "?"
    if to == "self":
        return f"{app}.{model}".lower()
    return (to if "." in to else f"{app}.{to}").lower()


def is_column(field: Any) -> bool:
    """Whether the field has a column of its own."""
    if not isinstance(field, Call):
        return False
    known = ("GenericRelation", "GenericForeignKey", "CompositePrimaryKey")
    return (
        field.last not in known
        and not is_many(field)
        and not field.last.endswith(("Manager", "Relation"))
    )


def is_many(field: Call) -> bool:
    """Whether the field has a table of its own: what points to a model with no word on deletion.

    A class that a project has made of ManyToManyField is told by that alone.
    """
    if field.last in MANY:
        return True
    pointing = "to" in field.kwargs and field.last not in RELATIONS
    return pointing and "on_delete" not in field.kwargs and len(field.args) < 2


def column_of(name: str, field: Call, target: str, lookup: Lookup) -> Column:
    """Return the column of a field. `target` is the model of a relation, else ""."""
    kwargs = field.kwargs
    own = kwargs.get("db_column")
    related = field.last in RELATIONS or "to" in kwargs
    column = own if isinstance(own, str) and own else f"{name}_id" if related else name
    default, text = database_default(kwargs)
    key = kwargs.get("primary_key") is True
    unique = kwargs.get("unique") is True or field.last == "OneToOneField"
    index = kwargs.get("db_index", related or field.last == "SlugField")
    out = Column(
        name=column,
        type=type_of(field, lookup.key(target) if target else None),
        nullable=(kwargs.get("null") is True or field.last == "NullBooleanField") and not key,
        default=default,
        default_text=text,
        code_default=_effective_default(field),
        primary_key=key,
        unique=unique and not key,
        indexed=index is True and not unique and not key,
        identity=field.last in AUTO,
        check=field.last in CHECKED,
        collation=str(kwargs.get("db_collation") or ""),
    )
    if field.last == "GeneratedField":
        kept = kwargs.get("db_persist") is not False
        out = out._replace(generated="stored" if kept else "virtual")
    if target:
        enforced = kwargs.get("db_constraint", True) is not False
        remote = lookup.key(target)
        reference = Reference(lookup.table(target), (remote.name,) if remote else (), enforced)
        out = out._replace(reference=reference)
    return out


def database_default(kwargs: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind and text of a `db_default`."""
    if "db_default" not in kwargs:
        return "", ""
    value = kwargs["db_default"]
    if isinstance(value, Call):
        name = value.last.lower()
        function = value.kwargs.get("function")
        if isinstance(function, str):
            name = function.lower()
        known = {"randomuuid": "gen_random_uuid", "random": "random"}
        return ("volatile" if known.get(name, name) in VOLATILE else "constant"), ""
    return "constant", "" if is_made(value) else str(value)


def _effective_default(field: Call) -> str:
    """Return what the schema editor fills old rows with, as `Column.code_default`."""
    kwargs = field.kwargs
    if "default" in kwargs:
        return code_default(kwargs["default"], True)
    texts = field.last in (*LENGTHS, "TextField", "BinaryField") or type_of(field, None)[:1] == "?"
    empty = kwargs.get("blank") is True and texts  # a class that is not known may be one of texts
    if kwargs.get("null") is not True and empty:
        return "constant"
    dated = kwargs.get("auto_now") is True or kwargs.get("auto_now_add") is True
    return "constant" if dated else ""


def code_default(value: Any, given: bool) -> str:
    """Return `constant`, or the name of the callable, or ""."""
    if not given or value is None or (isinstance(value, Ref) and value.last == "NOT_PROVIDED"):
        return ""
    if isinstance(value, Ref):
        if value.name in ("dict", "list", "set", "str", "int", "float", "bool"):
            return "constant"
        choices = value.name.count(".") >= 2 and value.last.isupper()
        return "constant" if choices else value.name
    return "constant"


def type_of(field: Call, key: Column | None) -> str:
    """Return the column's type; `?Name` for a class that this file does not tell."""
    name, kwargs = field.last, field.kwargs
    if name in RELATIONS or "to" in kwargs:
        return key.type if key else ""
    if name in PLAIN:
        return PLAIN[name]
    if name in LENGTHS:
        length = kwargs.get("max_length", LENGTHS[name] or None)
        return f"varchar({length})" if isinstance(length, int) else "varchar"
    if name == "DecimalField":
        digits, places = kwargs.get("max_digits"), kwargs.get("decimal_places")
        whole = isinstance(digits, int) and isinstance(places, int)
        return f"numeric({digits},{places})" if whole else "numeric"
    if name == "ArrayField":
        base = kwargs.get("base_field", field.args[0] if field.args else None)
        return type_of(base, None) + "[]" if isinstance(base, Call) else "?array"
    if name == "GeneratedField" and isinstance(kwargs.get("output_field"), Call):
        return type_of(kwargs["output_field"], None)
    return "?" + name


def same_in_database(old: Call, new: Call, ignored: Collection[str]) -> bool:
    """Whether nothing but what is `ignored` is different. `to` is for the caller to compare."""

    def shape(field: Call) -> tuple[Any, ...]:
        related = field.last in RELATIONS or "to" in field.kwargs
        plain = {**UNSAID, "db_index": related}
        kept = {
            key: value
            for key, value in field.kwargs.items()
            if key not in ignored and not (key in plain and value is plain[key])
        }
        kept.pop("to", None)
        return (_bare(() if related else field.args), _bare(kept))

    return old.name.rpartition(".")[2] == new.name.rpartition(".")[2] and shape(old) == shape(new)


def _bare(value: Any) -> Any:
    """Return a value without the places where it stands."""
    if isinstance(value, Call):
        return (value.name, _bare(value.args), _bare(value.kwargs), _bare(value.receiver))
    if isinstance(value, Ref | Unknown):
        return value
    if isinstance(value, dict):
        return tuple(sorted((str(key), repr(_bare(one))) for key, one in value.items()))
    if isinstance(value, list | tuple):
        return tuple(_bare(one) for one in value)
    return value
