"""Django's operations on models as changes of tables."""

from __future__ import annotations

from tidegate.model.operation import AddColumn, Column, DropColumn, DropTable, Nothing, RenameTable
from tidegate.reading.migrations.django_calls import Handler, Parts, Replaying, arg
from tidegate.reading.migrations.django_state import Model, fields_of, name_of
from tidegate.reading.migrations.kinds import Call
from tidegate.reading.migrations.record import Record


def _create_model(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    options = arg(call, 2, "options", {})
    options = options if isinstance(options, dict) else {}
    name = name_of(arg(call, 0, "name"))
    own = options.get("db_table")
    table = own if isinstance(own, str) else f"{app}_{name}".lower()
    managed = not options.get("proxy") and options.get("managed") is not False
    model = Model(name, app, table, fields_of(arg(call, 1, "fields")), options, managed)
    self.models.put(model)
    if not managed:
        yield Nothing("proxy" if options.get("proxy") else "unmanaged", table), name
        return
    for change in self.models.create(model):
        yield change, name


def _delete_model(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(arg(call, 0, "name")))
    self.models.pop(model)
    if model.managed:
        for name, field in model.fields.items():
            through = self.models.through(model, name, field)
            if through is not None:
                yield DropTable(through.table), f"{model.name}.{name}"
        yield DropTable(model.table, cascade=False), model.name
    else:
        yield Nothing("unmanaged", model.table), model.name


def _rename_model(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(arg(call, 0, "old_name")))
    new = name_of(arg(call, 1, "new_name"))
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


def _alter_table(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(arg(call, 0, "name")))
    new = arg(call, 1, "table")
    table = new if isinstance(new, str) else f"{app}_{model.name}".lower()
    self.models.put(model._replace(table=table, options={**model.options, "db_table": new}))
    if table == model.table or not model.managed:
        yield Nothing("rename", table), model.name
    else:
        yield RenameTable(model.table, table), model.name


def _order_with(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(arg(call, 0, "name")))
    column = Column("_order", "integer", False, code_default="constant")
    if arg(call, 1, "order_with_respect_to"):
        yield AddColumn(model.table, column), f"{model.name}._order"
    else:
        yield DropColumn(model.table, "_order"), f"{model.name}._order"


def _options(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    model = self.models.get(app, name_of(arg(call, 0, "name")))
    options = arg(call, 1, "options", {})
    managed = options.get("managed") if isinstance(options, dict) else None
    if managed is not None and managed is not model.managed:
        self.models.put(model._replace(managed=managed is True))
        yield Nothing("managed", model.table, str(managed)), model.name
    else:
        yield Nothing("options", model.table), model.name


MODELS: dict[str, Handler] = {
    "CreateModel": _create_model,
    "DeleteModel": _delete_model,
    "RenameModel": _rename_model,
    "AlterModelTable": _alter_table,
    "AlterModelOptions": _options,
    "AlterOrderWithRespectTo": _order_with,
}
