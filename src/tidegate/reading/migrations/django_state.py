"""The models as Django's migration state knows them while a chain of migrations is replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tidegate.model.operation import Column, Constraint, CreateTable, Index, Reference
from tidegate.reading.migrations.django_fields import (
    Lookup,
    column_of,
    is_column,
    is_many,
    target_of,
)
from tidegate.reading.migrations.kinds import Call, Ref, is_made


class Model(NamedTuple):
    """One model: its table, fields in order, and the options that matter to the database."""

    name: str
    app: str
    table: str
    fields: dict[str, Call]
    options: dict[str, Any]
    managed: bool = True


class Models(Lookup):
    """All models, by `app.model` in lower case."""

    def __init__(self, user: str) -> None:
        self.user = user.lower()
        self.all: dict[str, Model] = {}

    def get(self, app: str, name: str) -> Model:
        """Return a model; an empty one with Django's table name where none was read."""
        key = f"{app}.{name}".lower()
        found = self.all.get(key)
        return found or Model(name, app, f"{app}_{name}".lower(), {}, {})

    def put(self, model: Model) -> None:
        """Take or replace a model."""
        self.all[f"{model.app}.{model.name}".lower()] = model

    def pop(self, model: Model) -> None:
        """Forget a model."""
        self.all.pop(f"{model.app}.{model.name}".lower(), None)

    def table(self, target: str) -> str:
        """Return the table of `app.model`."""
        found = self.all.get(target)
        return found.table if found else target.replace(".", "_").lstrip("?_")

    def key(self, target: str) -> Column | None:
        """Return the primary key of `app.model`."""
        found = self.all.get(target)
        if found is None:
            return Column("id", "")
        for name, field in found.fields.items():
            if field.kwargs.get("primary_key") is True:
                return self.column(found, name, field)
        return Column("id", "")

    def column(self, model: Model, name: str, field: Call) -> Column:
        """Return the column of a model's field."""
        related = field.last in ("ForeignKey", "OneToOneField") or "to" in field.kwargs
        target = target_of(field, model.app, model.name, self.user) if related else ""
        if target == f"{model.app}.{model.name}".lower() and self.all.get(target) is None:
            target = "?"
        return column_of(name, field, target, self)

    def column_name(self, model: Model, field: str) -> str:
        """Return the column of a field by name; the name itself where it is not known."""
        found = model.fields.get(field)
        return self.column(model, field, found).name if found is not None else field

    def columns(self, model: Model, fields: Any) -> tuple[str, ...]:
        """Return the columns of several fields; `-name` means descending."""
        if not isinstance(fields, list | tuple) or is_made(fields):
            return ()
        return tuple(
            self.column_name(model, one.lstrip("-")) for one in fields if isinstance(one, str)
        )

    def index(self, model: Model, made: Call, concurrently: bool = False) -> Index:
        """Return an index as the database would hold it."""
        method = {"GinIndex": "gin", "GistIndex": "gist", "BrinIndex": "brin",
                  "HashIndex": "hash", "SpGistIndex": "spgist", "BloomIndex": "bloom"}  # fmt: skip
        name = made.kwargs.get("name")
        return Index(
            name if isinstance(name, str) else "",
            self.columns(model, made.kwargs.get("fields", ())),
            concurrently=concurrently,
            method=method.get(made.last, "btree"),
            where="condition" in made.kwargs,
            expressions=bool(made.args),
        )

    def constraint(self, model: Model, made: Call) -> Constraint | None:
        """Return a constraint as the database would hold it; None where it can't be told."""
        name = made.kwargs.get("name")
        name = name if isinstance(name, str) else ""
        if made.last == "UniqueConstraint":
            columns = self.columns(model, made.kwargs.get("fields", ()))
            return Constraint("unique", name, columns)
        if made.last == "CheckConstraint":
            test = made.kwargs.get("check", made.kwargs.get("condition"))
            columns = tuple(self.column_name(model, one) for one in sorted(set(_tested(test))))
            return Constraint("check", name, columns, not_null_of=self._not_null_of(model, test))
        if made.last == "ExclusionConstraint":
            return Constraint("exclude", name)
        return None

    def _not_null_of(self, model: Model, test: Any) -> str:
        """Return the column of Q(column__isnull=False)."""
        if not isinstance(test, Call) or test.last != "Q":
            return ""
        pairs = list(test.kwargs.items())
        pairs += [one for one in test.args if isinstance(one, tuple) and len(one) == 2]
        if len(pairs) == 1 and str(pairs[0][0]).endswith("__isnull") and pairs[0][1] is False:
            return self.column_name(model, str(pairs[0][0]).removesuffix("__isnull"))
        return ""

    def create(self, model: Model) -> list[CreateTable]:
        """Return the table of a new model, and those of its many-to-many fields."""
        columns = [
            self.column(model, name, field)
            for name, field in model.fields.items()
            if is_column(field)
        ]
        constraints, indexes = self._declared(model)
        out = [CreateTable(model.table, tuple(columns), tuple(constraints), tuple(indexes))]
        for name, field in model.fields.items():
            through = self.through(model, name, field)
            if through is not None:
                out.append(through)
        return out

    def _declared(self, model: Model) -> tuple[list[Constraint], list[Index]]:
        constraints: list[Constraint] = []
        indexes: list[Index] = []
        for fields in together(model.options.get("unique_together")):
            constraints.append(Constraint("unique", "", self.columns(model, fields)))
        for fields in together(model.options.get("index_together")):
            columns = self.columns(model, fields)
            indexes.append(Index("_".join([model.table, *columns, "idx"]), columns))
        for one in _calls(model.options.get("indexes")):
            indexes.append(self.index(model, one))
        for one in _calls(model.options.get("constraints")):
            made = self.constraint(model, one)
            if made is not None:
                constraints.append(made)
        return constraints, indexes

    def through(self, model: Model, name: str, field: Any) -> CreateTable | None:
        """Return the table behind a many-to-many field, where Django makes it."""
        if not isinstance(field, Call) or not is_many(field) or "through" in field.kwargs:
            return None
        own = field.kwargs.get("db_table")
        table = own if isinstance(own, str) else f"{model.table}_{name}"
        target = target_of(field, model.app, model.name, self.user)
        other = target.rpartition(".")[2]
        mine = model.name.lower()
        names = (
            (f"from_{mine}_id", f"to_{mine}_id") if other == mine else (mine + "_id", other + "_id")
        )
        columns = (
            Column("id", "bigint", False, primary_key=True, identity=True),
            Column(names[0], "", False, indexed=True, reference=Reference(model.table)),
            Column(names[1], "", False, indexed=True, reference=Reference(self.table(target))),
        )
        return CreateTable(table, columns, (Constraint("unique", "", names),))


def _tested(test: Any) -> Iterator[str]:
    """Yield the fields that a condition names."""
    if isinstance(test, Call):
        for name in test.kwargs if test.last == "Q" else ():
            yield name.split("__")[0]
        for one in test.args:
            if test.last == "F" and isinstance(one, str):
                yield one.split("__")[0]
            yield from _tested(one)
        for value in test.kwargs.values():
            yield from _tested(value)
    elif isinstance(test, tuple) and not is_made(test) and len(test) == 2:
        if isinstance(test[0], str):
            yield test[0].split("__")[0]
        yield from _tested(test[1])


def together(value: Any) -> list[tuple[str, ...]]:
    """Return `unique_together` as a list of tuples, whatever its form."""
    if not isinstance(value, list | tuple) or is_made(value) or not value:
        return []
    if all(isinstance(one, str) for one in value):
        return [tuple(value)]
    return [
        tuple(str(name) for name in one)
        for one in value
        if isinstance(one, list | tuple) and not is_made(one)
    ]


def _calls(value: Any) -> list[Call]:
    if not isinstance(value, list | tuple) or is_made(value):
        return []
    return [one for one in value if isinstance(one, Call)]


def fields_of(value: Any) -> dict[str, Call]:
    """Return the fields of a CreateModel."""
    out: dict[str, Call] = {}
    if isinstance(value, list | tuple) and not is_made(value):
        for one in value:
            pair = isinstance(one, tuple) and not is_made(one) and len(one) == 2
            if pair and isinstance(one[0], str) and isinstance(one[1], Call):
                out[one[0]] = one[1]
    return out


def name_of(value: Any) -> str:
    """Return a text, or the last part of a name."""
    if isinstance(value, str):
        return value
    return value.last if isinstance(value, Ref) else ""
