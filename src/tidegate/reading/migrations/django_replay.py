"""Django's operations as what the schema editor would send, given the models before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tidegate.model.operation import (
    AddColumn,
    AddConstraint,
    AddIndex,
    AlterColumn,
    Change,
    Code,
    Column,
    Constraint,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Nothing,
    Opaque,
    Operation,
    RenameColumn,
    RenameIndex,
    RenameTable,
    Statement,
    Trait,
    ValidateConstraint,
)
from tidegate.model.schema import Schema
from tidegate.reading.migrations import sql
from tidegate.reading.migrations.django_fields import (
    MANY,
    NOT_COMPARED,
    NOT_IN_DATABASE,
    is_column,
    same_in_database,
)
from tidegate.reading.migrations.django_state import Model, Models, fields_of, name_of, together
from tidegate.reading.migrations.record import Record
from tidegate.reading.migrations.values import Call, Ref, Unknown, is_made

Parts = Iterator[tuple[Change, str]]


class DjangoReplay:
    """Turns Records into Operations; the models move on with each."""

    def __init__(self, schema: Schema, vendor: str, user: str) -> None:
        self.schema = schema
        self.vendor = vendor
        self.models = Models(user)

    def operations(self, record: Record) -> Iterator[Operation]:
        """Yield what a migration does, in order; apply each before you ask for the next."""
        app = record.id.partition(".")[0]
        for call in record.forward:
            yield from self._one(call, app, record, 1 if record.atomic else 0)

    def _one(
        self, call: Call, app: str, record: Record, transaction: int, **flags: Any
    ) -> Iterator[Operation]:
        name = call.last
        if call.name == "tidegate.maybe":
            inner = call.args[0]
            if isinstance(inner, Call):
                yield from self._one(inner, app, record, transaction, **{**flags, "maybe": True})
            return
        if name == "SeparateDatabaseAndState":
            yield from self._separate(call, app, record, transaction, flags)
            return
        if name == "RunSQL":
            yield from self._run_sql(call, transaction, flags)
            return
        handler = _HANDLERS.get(name)
        said = name
        if handler is None:
            base = next((one for one in _BY_ENDING if name.endswith(one)), "")
            if base == "RunSQL":
                yield from self._run_sql(call, transaction, {**flags})
                return
            handler = _HANDLERS.get(base)
            flags = {**flags, "maybe": True}
        if handler is None:
            why = call.args[0] if call.name == "tidegate.opaque" else f"{call.name} is not known"
            yield Operation(Opaque("operation", str(why)), call.span, said, transaction, **flags)
            return
        reversible = _reversible(call)
        for change, subject in handler(self, call, app, record):
            yield Operation(
                change,
                call.span,
                said,
                transaction,
                reversible=reversible,
                subject=subject,
                **flags,
            )

    def _separate(
        self, call: Call, app: str, record: Record, transaction: int, flags: dict[str, Any]
    ) -> Iterator[Operation]:
        lists = []
        for index, key in enumerate(("database_operations", "state_operations")):
            value = call.args[index] if index < len(call.args) else call.kwargs.get(key)
            if isinstance(value, list | tuple) and not is_made(value):
                lists.append([one for one in value if isinstance(one, Call)])
            else:
                lists.append([])
                if value is not None:
                    what = Opaque("operation", f"{key} are made elsewhere")
                    yield Operation(what, call.span, call.last, transaction, **flags)
        models = dict(self.models.all)
        for one in lists[0]:
            yield from self._one(one, app, record, transaction, **flags)
        self.models.all = models
        believed = {**flags, "state_only": True}
        for one in lists[1]:
            for operation in self._one(one, app, record, transaction, **believed):
                if lists[0] and not self._there(operation.change):
                    continue  # the database's side dropped it
                yield operation

    def _there(self, change: Change) -> bool:
        """Whether the database has still what a change drops."""
        if not isinstance(change, DropColumn | DropTable):
            return True
        table = self.schema.table(change.table)
        return table is not None and (
            isinstance(change, DropTable) or change.column in table.columns
        )

    def _run_sql(self, call: Call, transaction: int, flags: dict[str, Any]) -> Iterator[Operation]:
        value = call.args[0] if call.args else call.kwargs.get("sql")
        reverse = len(call.args) > 1 or call.kwargs.get("reverse_sql") is not None
        for text in _texts(value):
            found: list[Change]
            if isinstance(text, str):
                found = sql.changes(text, self.vendor)
            else:
                found = [Opaque("SQL", text.why if isinstance(text, Unknown) else "it is computed")]
            for change in found:
                yield Operation(
                    self._with_owner(change), call.span, "RunSQL", transaction,
                    reversible=reverse, sql=text if isinstance(text, str) else "", **flags,
                )  # fmt: skip
        state = call.kwargs.get("state_operations")
        if isinstance(state, list | tuple) and not is_made(state):
            inner = {**flags, "state_only": True}
            record = Record("django", "", "")
            for one in state:
                if isinstance(one, Call):
                    yield from self._one(one, "", record, transaction, **inner)

    def _with_owner(self, change: Change) -> Change:
        if isinstance(change, DropIndex | RenameIndex) and not change.table:
            return change._replace(table=self.schema.owner_of_index(change.name))
        return change


def _texts(value: Any) -> list[Any]:
    if isinstance(value, list | tuple) and not is_made(value):
        out: list[Any] = []
        for one in value:
            pair = isinstance(one, list | tuple) and not is_made(one)
            out.append(one[0] if pair and one else one)
        return out
    if isinstance(value, Ref):
        return [] if value.last == "noop" else [Unknown(f"{value.name} is made elsewhere")]
    if isinstance(value, Call):
        return [Unknown(f"{value.name or 'a call'}() makes it")]
    return [value]


def _reversible(call: Call) -> bool:
    if call.last.endswith("RunPython"):
        return len(call.args) > 1 or call.kwargs.get("reverse_code") is not None
    return True


def _arg(call: Call, index: int, name: str, default: Any = None) -> Any:
    if name in call.kwargs:
        return call.kwargs[name]
    return call.args[index] if index < len(call.args) else default


def _model(self: DjangoReplay, call: Call, app: str) -> Model:
    return self.models.get(app, name_of(_arg(call, 0, "model_name")))


def _create_model(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    options = _arg(call, 2, "options", {})
    options = options if isinstance(options, dict) else {}
    name = name_of(_arg(call, 0, "name"))
    own = options.get("db_table")
    table = own if isinstance(own, str) else f"{app}_{name}".lower()
    managed = not options.get("proxy") and options.get("managed") is not False
    model = Model(name, app, table, fields_of(_arg(call, 1, "fields")), options, managed)
    self.models.put(model)
    if not managed:
        yield Nothing("proxy" if options.get("proxy") else "unmanaged", table), name
        return
    for change in self.models.create(model):
        yield change, name


def _delete_model(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(_arg(call, 0, "name")))
    self.models.pop(model)
    if model.managed:
        for name, field in model.fields.items():
            through = self.models.through(model, name, field)
            if through is not None:
                yield DropTable(through.table), f"{model.name}.{name}"
        yield DropTable(model.table, cascade=False), model.name
    else:
        yield Nothing("unmanaged", model.table), model.name


def _rename_model(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(_arg(call, 0, "old_name")))
    new = name_of(_arg(call, 1, "new_name"))
    self.models.pop(model)
    explicit = isinstance(model.options.get("db_table"), str)
    table = model.table if explicit else f"{app}_{new}".lower()
    old_target = f"{model.app}.{model.name}".lower()
    self.models.put(model._replace(name=new, table=table))
    for other in list(self.models.all.values()):
        fields = {
            name: _retarget(field, old_target, f"{app}.{new}", other.app)
            for name, field in other.fields.items()
        }
        self.models.put(other._replace(fields=fields))
    if table == model.table or not model.managed:
        yield Nothing("rename", table), model.name
        return
    for name, field in model.fields.items():
        through = self.models.through(model, name, field)
        if through is not None:
            renamed = f"{table}_{name}"
            if through.table != renamed and "db_table" not in field.kwargs:
                yield RenameTable(through.table, renamed), f"{model.name}.{name}"
    yield RenameTable(model.table, table), model.name


def _retarget(field: Call, old: str, new: str, app: str) -> Call:
    to = field.kwargs.get("to")
    if isinstance(to, str) and (to if "." in to else f"{app}.{to}").lower() == old:
        return field._replace(kwargs={**field.kwargs, "to": new})
    return field


def _alter_table(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(_arg(call, 0, "name")))
    new = _arg(call, 1, "table")
    table = new if isinstance(new, str) else f"{app}_{model.name}".lower()
    self.models.put(model._replace(table=table, options={**model.options, "db_table": new}))
    if table == model.table or not model.managed:
        yield Nothing("rename", table), model.name
    else:
        yield RenameTable(model.table, table), model.name


def _add_field(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    name, field = name_of(_arg(call, 1, "name")), _arg(call, 2, "field")
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


def _of_new_column(table: str, column: Column, subject: str) -> Parts:
    if column.unique:
        yield AddConstraint(table, Constraint("unique", "", (column.name,)), "unique=True"), subject
    if column.indexed:
        why = "the foreign key" if column.reference else "db_index=True"
        yield AddIndex(table, Index(f"{table}_{column.name}_idx", (column.name,)), why), subject


def _remove_field(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    name = name_of(_arg(call, 1, "name"))
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
        column = self.models.column(model, name, field).name if field else name
        yield DropColumn(model.table, column, cascade=False), subject


def _rename_field(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    old, new = name_of(_arg(call, 1, "old_name")), name_of(_arg(call, 2, "new_name"))
    field = model.fields.get(old)
    renamed = {(new if key == old else key): one for key, one in model.fields.items()}
    self.models.put(model._replace(fields=renamed, options=_renamed(model.options, old, new)))
    subject = f"{model.name}.{old}"
    if field is not None and field.last in MANY:
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


def _alter_field(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    name, new = name_of(_arg(call, 1, "name")), _arg(call, 2, "field")
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
    yield from _altered(model.table, old, new, before, after, subject)


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
    if after.unique and not before.unique:
        sent += 1
        why = "unique=True"
        yield AddConstraint(table, Constraint("unique", "", (after.name,)), why), who
    elif before.unique and not after.unique:
        sent += 1
        yield DropConstraint(table, f"{table}_{after.name}_unique", "unique"), who
    if after.indexed and not before.indexed and not before.unique:
        sent += 1
        why = "the foreign key" if after.reference else "db_index=True"
        yield AddIndex(table, Index(f"{table}_{after.name}_idx", (after.name,)), why), who
    elif before.indexed and not after.indexed and not after.unique:
        sent += 1
        yield DropIndex(table, f"{table}_{after.name}_idx", why="db_index=False"), who
    was = before.reference is not None and before.reference.enforced
    points_elsewhere = before.reference and after.reference and _elsewhere(before, after, old, new)
    altered = points_elsewhere or not same_in_database(old, new, NOT_COMPARED)
    if after.reference is not None and after.reference.enforced and (not was or altered):
        key = Constraint("foreign-key", "", (after.name,), after.reference)
        sent += 1
        why = "Django drops the old one and adds it again" if was else "the foreign key"
        yield AddConstraint(table, key, why), who
    if not sent:
        yield Nothing("field", table, after.name), who


def _elsewhere(before: Column, after: Column, old: Call, new: Call) -> bool:
    """Whether a foreign key points to another table; not, where a target can't be told."""
    told = all(isinstance(one.kwargs.get("to", ""), str | Ref) for one in (old, new))
    assert before.reference is not None
    assert after.reference is not None
    return told and before.reference.table != after.reference.table


def _add_index(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    made = _arg(call, 1, "index")
    if not isinstance(made, Call):
        yield Opaque("operation", "the index is made elsewhere"), model.name
        return
    concurrently = call.last.endswith("AddIndexConcurrently")
    index = self.models.index(model, made, concurrently)
    yield AddIndex(model.table, index), model.name


def _remove_index(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    name = name_of(_arg(call, 1, "name"))
    yield DropIndex(model.table, name, call.last.endswith("RemoveIndexConcurrently")), model.name


def _rename_index(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    old, new = name_of(_arg(call, 2, "old_name")), name_of(_arg(call, 1, "new_name"))
    yield RenameIndex(model.table, old, new), model.name


def _add_constraint(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    made = _arg(call, 1, "constraint")
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


def _remove_constraint(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    yield DropConstraint(model.table, name_of(_arg(call, 1, "name"))), model.name


def _validate(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = _model(self, call, app)
    yield ValidateConstraint(model.table, name_of(_arg(call, 1, "name"))), model.name


def _unique_together(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    yield from _together(self, call, app, "unique_together")


def _index_together(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    yield from _together(self, call, app, "index_together")


def _together(self: DjangoReplay, call: Call, app: str, key: str) -> Parts:
    model = self.models.get(app, name_of(_arg(call, 0, "name")))
    value = _arg(call, 1, key)
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


def _order_with(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(_arg(call, 0, "name")))
    column = Column("_order", "integer", False, code_default="constant")
    if _arg(call, 1, "order_with_respect_to"):
        yield AddColumn(model.table, column), f"{model.name}._order"
    else:
        yield DropColumn(model.table, "_order"), f"{model.name}._order"


def _run_python(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    code = _arg(call, 0, "code")
    name = code.name if isinstance(code, Ref) else "a function"
    if isinstance(code, Ref) and code.last == "noop":
        yield Nothing("noop"), name
        return
    traits: tuple[Trait, ...] = record.traits.get(name, ())
    reversible = _reversible(call)
    if isinstance(code, Ref) and name not in record.traits:
        yield Code(name, (Trait("elsewhere", name, call.span),), reversible), name
        return
    yield Code(name, traits, reversible), name
    for one in traits:
        if one.what == "sql":
            for change in sql.changes(one.detail, self.vendor):
                yield self._with_owner(change), name


def _options(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(_arg(call, 0, "name")))
    options = _arg(call, 1, "options", {})
    managed = options.get("managed") if isinstance(options, dict) else None
    if managed is not None and managed is not model.managed:
        self.models.put(model._replace(managed=managed is True))
        yield Nothing("managed", model.table, str(managed)), model.name
    else:
        yield Nothing("options", model.table), model.name


def _nothing(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    yield Nothing("options"), name_of(_arg(call, 0, "name"))


def _extension(self: DjangoReplay, call: Call, app: str, record: Record) -> Parts:
    yield Statement("create-extension"), call.last


_HANDLERS: dict[str, Callable[[DjangoReplay, Call, str, Record], Parts]] = {
    "CreateModel": _create_model,
    "DeleteModel": _delete_model,
    "RenameModel": _rename_model,
    "AlterModelTable": _alter_table,
    "AlterModelTableComment": _nothing,
    "AlterModelOptions": _options,
    "AlterModelManagers": _nothing,
    "AlterUniqueTogether": _unique_together,
    "AlterIndexTogether": _index_together,
    "AlterOrderWithRespectTo": _order_with,
    "AddField": _add_field,
    "RemoveField": _remove_field,
    "RenameField": _rename_field,
    "AlterField": _alter_field,
    "AddIndex": _add_index,
    "AddIndexConcurrently": _add_index,
    "RemoveIndex": _remove_index,
    "RemoveIndexConcurrently": _remove_index,
    "RenameIndex": _rename_index,
    "AddConstraint": _add_constraint,
    "AddConstraintNotValid": _add_constraint,
    "RemoveConstraint": _remove_constraint,
    "AlterConstraint": _nothing,
    "ValidateConstraint": _validate,
    "RunPython": _run_python,
}
_EXTENSIONS = (
    "CreateExtension", "BloomExtension", "BtreeGinExtension", "BtreeGistExtension",
    "CITextExtension", "CryptoExtension", "HStoreExtension", "TrigramExtension",
    "UnaccentExtension", "CreateCollation", "RemoveCollation", "VectorExtension",
)  # fmt: skip
_HANDLERS.update(dict.fromkeys(_EXTENSIONS, _extension))
_BY_ENDING = ("RunSQL", *sorted(_HANDLERS, key=len, reverse=True))
