"""Django's operations as what the schema editor would send, given the models before them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.model.operation import (
    Change,
    Code,
    DropColumn,
    DropIndex,
    DropTable,
    Nothing,
    Opaque,
    Operation,
    RenameIndex,
    Statement,
    Trait,
)
from tidegate.model.schema import Schema
from tidegate.reading.migrations import sql
from tidegate.reading.migrations.choices import settled
from tidegate.reading.migrations.django_calls import Handler, Parts, Replaying, arg
from tidegate.reading.migrations.django_fields_replay import FIELDS
from tidegate.reading.migrations.django_index_replay import INDEXES
from tidegate.reading.migrations.django_models_replay import MODELS
from tidegate.reading.migrations.django_own import code_name
from tidegate.reading.migrations.django_state import Models, name_of
from tidegate.reading.migrations.kinds import Call, Ref, Unknown, is_made
from tidegate.reading.migrations.record import Record


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
            yield from self._run_sql(call, app, record, transaction, flags)
            return
        handler = _HANDLERS.get(name)
        said = base = name
        if handler is None:
            base = next((one for one in _BY_ENDING if name.endswith(one)), "")
            if base == "RunSQL":
                yield from self._run_sql(call, app, record, transaction, {**flags}, own=True)
                return
            handler = _HANDLERS.get(base)
            flags = {**flags, "maybe": True}
        if handler is None:
            why = call.args[0] if call.name == "tidegate.opaque" else f"{call.name} is not known"
            yield Operation(Opaque("operation", str(why)), call.span, said, transaction, **flags)
            return
        untold = _untold(call)
        if untold:
            yield Operation(Opaque(said, untold), call.span, said, transaction, **flags)
            return
        reversible = said != base or _reversible(call)
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

    def _run_sql(
        self,
        call: Call,
        app: str,
        record: Record,
        transaction: int,
        flags: dict[str, Any],
        own: bool = False,
    ) -> Iterator[Operation]:
        """`own`: of a class that is made elsewhere, which may set what is not said here."""
        value = settled(call.args[0] if call.args else call.kwargs.get("sql"), self.vendor)
        reverse = own or len(call.args) > 1 or call.kwargs.get("reverse_sql") is not None
        for text in _texts(value):
            found: list[Change]
            if isinstance(text, str):
                found = sql.changes(text, self.vendor)
            else:
                found = [Opaque("SQL", text.why if isinstance(text, Unknown) else "it is computed")]
            for change in found:
                yield Operation(
                    self.with_owner(change), call.span, "RunSQL", transaction,
                    reversible=reverse, sql=text if isinstance(text, str) else "", **flags,
                )  # fmt: skip
        state = call.kwargs.get("state_operations")
        if isinstance(state, list | tuple) and not is_made(state):
            inner = {**flags, "state_only": True}
            for one in state:
                if isinstance(one, Call):
                    yield from self._one(one, app, record, transaction, **inner)

    def with_owner(self, change: Change) -> Change:
        """Return a change of an index with the table that the index is on."""
        if isinstance(change, DropIndex | RenameIndex) and not change.table:
            return change._replace(table=self.schema.owner_of_index(change.name))
        return change


def _untold(call: Call) -> str:
    """Return why the names in an operation can't be told; "" where they can."""
    first = call.args[:1] if not call.last.endswith("RunPython") else ()
    for value in (*first, *(call.kwargs.get(one) for one in NAMES)):
        if isinstance(value, Unknown):
            return f"its names come from {value.why}" if "loop" in value.why else value.why
        if isinstance(value, Ref) and "." in value.name:
            return f"{value.name} is made elsewhere"
    second = call.args[1] if len(call.args) > 1 else None
    return second.why if isinstance(second, Unknown) and call.last in OF_FIELDS else ""


NAMES = ("model_name", "name", "old_name", "new_name")
OF_FIELDS = ("AddField", "RemoveField", "AlterField", "RenameField", "RenameModel", "RemoveIndex",
             "RemoveConstraint")  # fmt: skip
OF_ROWS = ("loop-save", "loop-write", "loop-bulk", "whole-update", "whole-delete",
           "whole-bulk_update", "write")  # fmt: skip


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


def _run_python(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    code = arg(call, 0, "code")
    name = code_name(code)
    if isinstance(code, Ref) and code.last == "noop":
        yield Nothing("noop"), name
        return
    reversible = call.last != "RunPython" or _reversible(call)
    if name not in record.traits:
        unread = Trait("elsewhere", name or _maker(code), call.span)
        yield Code(name, (unread,), reversible), name
        return
    traits = tuple(
        _told(self, one)
        for one in record.traits[name]
        if not one.vendors or self.vendor in one.vendors
    )
    yield Code(name, traits, reversible), name
    for one in traits:
        if one.what == "sql":
            for change in sql.changes(one.detail, self.vendor):
                yield self.with_owner(change), name


def _maker(code: Any) -> str:
    return f"{code.name}()" if isinstance(code, Call) and code.name else "what it runs"


def _told(self: Replaying, one: Trait) -> Trait:
    """Return a trait with the model's name alone, and the table that it has now."""
    app, dot, model = one.detail.rpartition(".")
    if one.what not in OF_ROWS or not dot:
        return one
    return one._replace(detail=model, table=self.models.get(app, model).table)


def _nothing(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    yield Nothing("options"), name_of(arg(call, 0, "name"))


def _extension(self: Replaying, call: Call, app: str, record: Record) -> Parts:
    yield Statement("create-extension"), call.last


_HANDLERS: dict[str, Handler] = {
    **MODELS,
    **FIELDS,
    **INDEXES,
    "AlterModelTableComment": _nothing,
    "AlterModelManagers": _nothing,
    "AlterConstraint": _nothing,
    "RunPython": _run_python,
}
_EXTENSIONS = (
    "CreateExtension", "BloomExtension", "BtreeGinExtension", "BtreeGistExtension",
    "CITextExtension", "CryptoExtension", "HStoreExtension", "TrigramExtension",
    "UnaccentExtension", "CreateCollation", "RemoveCollation", "VectorExtension",
)  # fmt: skip
_HANDLERS.update(dict.fromkeys(_EXTENSIONS, _extension))
_BY_ENDING = ("RunSQL", *sorted(_HANDLERS, key=len, reverse=True))
