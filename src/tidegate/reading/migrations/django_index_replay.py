"""Django's operations on indexes and constraints."""

from __future__ import annotations

from tidegate.model.operation import (
    AddConstraint,
    AddIndex,
    Constraint,
    DropConstraint,
    DropIndex,
    Index,
    Opaque,
    RenameIndex,
    ValidateConstraint,
)
from tidegate.reading.migrations.django_calls import Handler, Parts, Replaying, arg, model_of
from tidegate.reading.migrations.django_state import name_of, together
from tidegate.reading.migrations.kinds import Call
from tidegate.reading.migrations.record import Record


def _add_index(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    made = arg(call, 1, "index")
    if not isinstance(made, Call):
        yield Opaque("operation", "the index is made elsewhere"), model.name
        return
    concurrently = call.last.endswith("AddIndexConcurrently")
    index = self.models.index(model, made, concurrently)
    yield AddIndex(model.table, index), model.name


def _remove_index(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    name = name_of(arg(call, 1, "name"))
    yield DropIndex(model.table, name, call.last.endswith("RemoveIndexConcurrently")), model.name


def _rename_index(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    old, new = name_of(arg(call, 2, "old_name")), name_of(arg(call, 1, "new_name"))
    yield RenameIndex(model.table, old, new), model.name


def _add_constraint(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    made = arg(call, 1, "constraint")
    constraint = self.models.constraint(model, made) if isinstance(made, Call) else None
    if constraint is None or not isinstance(made, Call):
        yield Opaque("operation", "the constraint is of a class that is not known"), model.name
    elif ("condition" in made.kwargs and constraint.kind == "unique") or made.args:
        columns = constraint.columns
        partial = "condition" in made.kwargs
        index = Index(constraint.name, columns, unique=True, where=partial)
        yield AddIndex(model.table, index, "the unique constraint"), model.name
    else:
        valid = call.last != "AddConstraintNotValid"
        yield AddConstraint(model.table, constraint._replace(valid=valid)), model.name


def _remove_constraint(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    yield DropConstraint(model.table, name_of(arg(call, 1, "name"))), model.name


def _validate(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = model_of(self, call, app)
    yield ValidateConstraint(model.table, name_of(arg(call, 1, "name"))), model.name


def _unique_together(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    yield from _together(self, call, app, "unique_together")


def _index_together(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    yield from _together(self, call, app, "index_together")


def _together(self: Replaying, call: Call, app: str, key: str) -> Parts:
    model = self.models.get(app, name_of(arg(call, 0, "name")))
    value = arg(call, 1, key)
    before = dict.fromkeys(together(model.options.get(key)))
    after = dict.fromkeys(together(value))
    self.models.put(model._replace(options={**model.options, key: value}))
    for gone in before:
        if gone not in after:
            columns = self.models.columns(model, gone)
            kind = "unique" if key == "unique_together" else "index"
            yield DropConstraint(model.table, "_".join([model.table, *columns, kind])), model.name
    for new in after:
        if new in before:
            continue
        columns = self.models.columns(model, new)
        if key == "unique_together":
            made = Constraint("unique", "", columns)
            yield AddConstraint(model.table, made, "unique_together"), model.name
        else:
            index = Index("_".join([model.table, *columns, "idx"]), columns)
            yield AddIndex(model.table, index, "index_together"), model.name


INDEXES: dict[str, Handler] = {
    "AlterUniqueTogether": _unique_together,
    "AlterIndexTogether": _index_together,
    "AddIndex": _add_index,
    "AddIndexConcurrently": _add_index,
    "RemoveIndex": _remove_index,
    "RemoveIndexConcurrently": _remove_index,
    "RenameIndex": _rename_index,
    "AddConstraint": _add_constraint,
    "AddConstraintNotValid": _add_constraint,
    "RemoveConstraint": _remove_constraint,
    "ValidateConstraint": _validate,
}
