"""Django's operations on fields as changes of columns."""

from __future__ import annotations

from typing import Any

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    Change,
    Column,
    Constraint,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Nothing,
    Opaque,
    RenameColumn,
    RenameTable,
)
from tidegate.reading.migrations.django_calls import Handler, Parts, Replaying, arg, model_of
from tidegate.reading.migrations.django_fields import (
    NOT_COMPARED,
    NOT_IN_DATABASE,
    is_column,
    is_many,
    same_in_database,
)
from tidegate.reading.migrations.django_state import Model, name_of, together
from tidegate.reading.migrations.kinds import Call, Ref
from tidegate.reading.migrations.record import Record

AGAIN = "Django drops the old one and adds it again"


def _add_field(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    name, field = name_of(arg(call, 1, "name")), arg(call, 2, "field")
    subject = f"{model.name}.{name}"
    if not isinstance(field, Call):
        yield Opaque("operation", f"the field {subject} is made elsewhere"), subject
        return
    self.models.put(model._replace(fields={**model.fields, name: field}))
    through = self.models.through(model, name, field)
    if not model.managed or (not is_column(field) and through is None):
        yield Nothing("field", model.table, name), subject
        return
    if through is not None:
        yield through, subject
        return
    column = self.models.column(model, name, field)
    yield AddColumn(model.table, column), subject
    yield from _of_new_column(model.table, column, subject)
    if column.check and self.vendor == "postgresql":
        yield _check_of(model.table, column, field), subject


def _check_of(table: str, column: Column, field: Call) -> AddConstraint:
    """Return the CHECK that a field like PositiveIntegerField brings along."""
    return AddConstraint(table, Constraint("check", "", (column.name,)), field.last)


def _of_new_column(table: str, column: Column, subject: str) -> Parts:
    if column.unique:
        yield AddConstraint(table, Constraint("unique", "", (column.name,)), "unique=True"), subject
    if column.indexed:
        why = "the foreign key" if column.reference else "db_index=True"
        yield AddIndex(table, Index(f"{table}_{column.name}_idx", (column.name,)), why), subject


def _remove_field(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    name = name_of(arg(call, 1, "name"))
    field = model.fields.get(name)
    subject = f"{model.name}.{name}"
    fields = {key: one for key, one in model.fields.items() if key != name}
    self.models.put(model._replace(fields=fields))
    if not model.managed:
        yield Nothing("field", model.table, name), subject
    elif field is not None and not is_column(field):
        through = self.models.through(model, name, field)
        gone: Change = DropTable(through.table) if through else Nothing("field", model.table, name)
        yield gone, subject
    else:
        column = self.models.column(model, name, field).name if field else _kept(self, model, name)
        yield DropColumn(model.table, column, cascade=False), subject


def _kept(self: Replaying, model: Model, name: str) -> str:
    """Return the column, in the database still, of a field that the models don't have any more."""
    found = self.schema.table(model.table)
    names = found.columns if found is not None else {}
    return f"{name}_id" if name not in names and f"{name}_id" in names else name


def _rename_field(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    old, new = name_of(arg(call, 1, "old_name")), name_of(arg(call, 2, "new_name"))
    field = model.fields.get(old)
    renamed = {(new if key == old else key): one for key, one in model.fields.items()}
    self.models.put(model._replace(fields=renamed, options=_renamed(model.options, old, new)))
    subject = f"{model.name}.{old}"
    if field is not None and is_many(field):
        before, after = (self.models.through(model, one, field) for one in (old, new))
        if before and after and before.table != after.table:
            yield RenameTable(before.table, after.table), subject
        return
    one = self.models.column(model, old, field).name if field else old
    other = self.models.column(model, new, field).name if field else new
    if one == other or not model.managed:
        yield Nothing("rename", model.table, new), subject
    else:
        yield RenameColumn(model.table, one, other), subject


def _renamed(options: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    out = dict(options)
    for key in ("unique_together", "index_together"):
        if key in out:
            out[key] = [
                tuple(new if name == old else name for name in one) for one in together(out[key])
            ]
    return out


def _alter_field(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    name, new = name_of(arg(call, 1, "name")), arg(call, 2, "field")
    old = model.fields.get(name)
    subject = f"{model.name}.{name}"
    if not isinstance(new, Call):
        yield Opaque("operation", f"the field {subject} is made elsewhere"), subject
        return
    before = self.models.column(model, name, old) if old and is_column(old) else None
    self.models.put(model._replace(fields={**model.fields, name: new}))
    if not model.managed or not is_column(new):
        yield Nothing("field", model.table, name), subject
        return
    after = self.models.column(model, name, new)
    if old is None or before is None:
        yield AlterColumn(model.table, after.name, None, type=after.type), subject
        return
    if before.name != after.name:
        yield RenameColumn(model.table, before.name, after.name), subject
    checked = self.vendor == "postgresql" and before.check != after.check
    if checked and not after.check:
        yield DropConstraint(model.table, "_".join([model.table, before.name, "check"])), subject
    parts = list(_altered(model.table, old, new, before, after, subject))
    if checked and after.check:
        parts = [one for one in parts if not isinstance(one[0], Nothing)]
        parts.append((_check_of(model.table, after, new), subject))
    yield from parts


def _altered(table: str, old: Call, new: Call, before: Column, after: Column, who: str) -> Parts:
    sent = 0
    same = same_in_database(old, new, NOT_IN_DATABASE)
    unknown = before.type.startswith("?") or after.type.startswith("?")
    type = after.type if before.type != after.type and not (unknown and same) else None
    if before.collation != after.collation:
        type = after.type
    nullable = after.nullable if before.nullable != after.nullable else None
    default = after.default if before.default != after.default else None
    if type is not None or nullable is not None or default is not None:
        sent += 1
        yield AlterColumn(
            table, after.name, before, type, nullable, default,
            collation=after.collation if before.collation != after.collation else "",
        ), who  # fmt: skip
    if after.primary_key and not before.primary_key:
        sent += 1
        yield AddConstraint(table, Constraint("primary-key", "", (after.name,)), "the key"), who
    if after.unique and not before.unique:
        sent += 1
        why = "unique=True"
        yield AddConstraint(table, Constraint("unique", "", (after.name,)), why), who
    elif before.unique and not after.unique:
        sent += 1
        yield DropConstraint(table, f"{table}_{after.name}_unique", "unique"), who
    if after.indexed and not before.indexed:
        sent += 1
        why = "the foreign key" if after.reference else "db_index=True"
        yield AddIndex(table, Index(f"{table}_{after.name}_idx", (after.name,)), why), who
    elif before.indexed and not after.indexed:
        sent += 1
        yield DropIndex(table, f"{table}_{after.name}_idx", why="db_index=False"), who
    was = before.reference is not None and before.reference.enforced
    points_elsewhere = before.reference and after.reference and _elsewhere(before, after, old, new)
    altered = points_elsewhere or not same_in_database(old, new, NOT_COMPARED)
    if after.reference is not None and after.reference.enforced and (not was or altered):
        key = Constraint("foreign-key", "", (after.name,), after.reference)
        sent += 1
        why = AGAIN if was else "the foreign key"
        yield AddConstraint(table, key, why), who
    elif was and after.reference is not None and not after.reference.enforced:
        sent += 1
        yield DropConstraint(table, f"{table}_{after.name}_foreign-key", "foreign-key"), who
    if not sent:
        yield Nothing("field", table, after.name), who


def _elsewhere(before: Column, after: Column, old: Call, new: Call) -> bool:
    """Whether a foreign key points to another table; not, where a target can't be told."""
    told = all(isinstance(one.kwargs.get("to", ""), str | Ref) for one in (old, new))
    assert before.reference is not None
    assert after.reference is not None
    return told and before.reference.table != after.reference.table


FIELDS: dict[str, Handler] = {
    "AddField": _add_field,
    "RemoveField": _remove_field,
    "RenameField": _rename_field,
    "AlterField": _alter_field,
}
