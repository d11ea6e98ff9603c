"""What a revision's functions ask Alembic and the connection to do, as they are followed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tidegate.model.operation import Trait
from tidegate.reading.migrations.calls import Returned
from tidegate.reading.migrations.choices import ALL, holds, settled, told
from tidegate.reading.migrations.kinds import Call, Choice, Ref
from tidegate.reading.migrations.looping import LoopFollower
from tidegate.reading.migrations.record import Said
from tidegate.reading.migrations.rows import Row, Rows, writes_rows
from tidegate.reading.migrations.scopes import LIBRARIES, Scope, bind, span
from tidegate.reading.migrations.values import applied

QUIET = ("print", "logging", "logger", "log", "len", "isinstance", "getattr", "hasattr", "str",
         "datetime", "json", "time", "uuid", "os", "re", "super", "warnings", "sys")  # fmt: skip
ASKS = re.compile(r"(is|has|get|exists)_|.*_exists?$|inspect|register")  # functions that only look
ASKING = ("query", "select", "update", "insert", "delete", "get", "add", "merge", "bulk_insert",
          "bulk_insert_mappings", "bulk_update_mappings")  # fmt: skip


class Batch(NamedTuple):
    """What `with op.batch_alter_table(...) as name` binds."""

    table: Any
    kwargs: dict[str, Any]


class AlembicFollower(LoopFollower):
    """Follows one function and collects what it asks Alembic and the connection to do."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.said: list[Said] = []
        self.transaction = 1
        self.autocommit = False

    def run(self, function: ast.FunctionDef | None) -> list[Said]:
        """Follow `function` from its beginning."""
        if function is not None:
            try:
                inner = Scope(self.module)
                inner.follower = self.value
                self.block(function.body, inner)
            except Returned:
                pass
        return self.said

    def _with(self, node: ast.With, scope: Scope) -> None:
        before, transaction = self.autocommit, self.transaction
        block = False
        for item in node.items:
            value = self.value(item.context_expr, scope)
            if isinstance(value, Call) and value.last == "batch_alter_table":
                table = value.args[0] if value.args else value.kwargs.get("table_name")
                value = Batch(table, value.kwargs)
            elif isinstance(value, Call) and value.last == "autocommit_block":
                self.autocommit = block = True
            if item.optional_vars is not None:
                bind(item.optional_vars, value, scope)
        try:
            self.block(node.body, scope)
        finally:
            self.autocommit = before
            if block:
                self.transaction = transaction + 1

    # rows

    def grown(self, items: list[Any]) -> Any:
        """A list that grows with each row has as many."""
        loop = self.loops.around()
        many = loop is not None and loop.rows is not None and not isinstance(items[-1], Call)
        return Rows(loop.rows.name) if many and loop is not None and loop.rows else items

    def stored(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """A row that is given a value is written with the rest, one statement for each."""
        if isinstance(target, ast.Attribute):
            row = self.value(target.value, scope)
            if isinstance(row, Row) and self.loops.write(row, self.vendors):
                self._shows(self.loops.traits[-1])

    # calls

    def foreign(self, node: ast.Call, scope: Scope, alone: bool, base: Any) -> Any:
        """Return what a call gives; note what it asks Alembic or the connection to do."""
        args, words = self.arguments(node, scope)
        value = applied(node, args, words, scope, base)
        if not isinstance(value, Call):
            return value
        if value.last in ("run_async", "run_callable"):
            return self._note(value, node, alone)
        handed = self.handed_on(args, words, node, scope)
        self._todays(value, node)
        return self._note(value, node, alone and not handed)

    def _todays(self, made: Call, node: ast.Call) -> None:
        """Note a model that is imported: the code of today."""
        named = [made.name] if ".__table__" in made.name or ".query." in made.name else []
        if made.last in ASKING:
            named += [value.name for value in made.args[:1] if isinstance(value, Ref | Call)]
        for model in filter(None, map(_imported_class, named)):
            self._shows(Trait("imported-model", model, self.place(node)))

    def _shows(self, trait: Trait) -> None:
        """Note what the code does beside its calls, where it does it."""
        number = 0 if self.autocommit else self.transaction
        if any(one.name == "shows" and one.args == (trait,) for one in self.said):
            return
        self.said.append(Said("shows", (trait,), {}, trait.span, number, self.vendors))

    def _note(self, made: Call, node: ast.Call, alone: bool) -> Any:
        owner, last = made.name.rpartition(".")[0], made.last
        if isinstance(made.receiver, Batch):
            if last == "f" and made.args:
                return made.args[0]
            self._say(made, node, made.receiver)
        elif owner in ("alembic.op", "op"):
            if last in ("get_bind", "get_context", "f", "inline_literal", "batch_alter_table"):
                return made.args[0] if last == "f" and made.args else made
            self._say(made, node)
        elif last in ("execute", "exec_driver_sql", "scalar", "scalars") and made.args:
            self._say(made._replace(name="execute"), node)
        elif last in ("create", "drop") and _is_enum(made.receiver):
            self._say(made._replace(name="enum_" + last), node)
        elif (
            last in ("update", "delete", "commit", "add_all", "bulk_save_objects") and made.receiver
        ):
            if last in ("update", "delete") and _is_query(made.receiver):
                self._say(made._replace(name="query_" + last), node)
        elif last == "bulk_update_mappings" and len(made.args) > 1:
            given = self.found(made.args[1])
            if given is not None and not given.few:
                self._shows(Trait("loop-write", given.name, self.place(node), "", self.vendors))
        elif last == "create_all":
            self._say(made, node)
        elif made.receiver is None and _is_foreign(made.name):
            if alone or (_given(made) and not ASKS.match(last)):
                self._say(made._replace(name="foreign_call"), node, said=made.name)
        elif not made.name and _given(made):
            said = ast.unparse(node.func)
            if said.rstrip("()").endswith(("Session", "sessionmaker", "session_maker")):
                return made._replace(name="Session")
            self._say(made._replace(name="foreign_call"), node, said=said)
        return made

    def _say(self, made: Call, node: ast.Call, batch: Batch | None = None, said: str = "") -> None:
        kwargs = {**made.kwargs, "foreign": said} if said else made.kwargs
        args = made.args
        if made.name.startswith(("enum_", "query_")):
            args = (made.receiver, *made.args)
        self._in_loop(made.last, args)
        place = span(self.outside) if self.outside is not None else made.span
        around = (batch.table, batch.kwargs) if batch is not None else None
        one = Said(made.last, args, kwargs, place, 0 if self.autocommit else self.transaction,
                   self.vendors, self.maybe > 0, around)  # fmt: skip
        self.said.extend(_for_each(one) if holds((args, kwargs)) else [one])

    def _in_loop(self, name: str, args: Sequence[Any]) -> None:
        """Note a statement that is sent for each row of many."""
        writes = name == "execute" and bool(args) and writes_rows(args[0])
        given = self.found(args[1]) if writes and len(args) > 1 else None
        if given is not None and not given.few:
            place = span(self.outside) if self.outside is not None else args[0].span
            self._shows(Trait("loop-write", given.name, place, "", self.vendors))
        elif (writes or name.startswith("query_")) and self.loops.write(None, self.vendors):
            self._shows(self.loops.traits[-1])


def _for_each(said: Said) -> Iterator[Said]:
    """Yield an operation once for each database, or for each thing that it may be."""
    for vendor in said.vendors or ALL:
        own = said._replace(vendors=(vendor,))
        first = said.args[0] if said.args else None
        for one in told(first, vendor) if isinstance(first, Choice) else [first]:
            args = (one, *said.args[1:]) if said.args else ()
            several = isinstance(first, Choice) and len(told(first, vendor)) > 1
            yield own._replace(
                args=settled(args, vendor),
                kwargs=settled(said.kwargs, vendor),
                maybe=said.maybe or several,
            )


def _is_enum(value: Any) -> bool:
    return isinstance(value, Call) and value.last.lower() == "enum"


def _is_query(value: Any) -> bool:
    while isinstance(value, Call):
        if value.last == "query":
            return True
        value = value.receiver
    return False


def _is_foreign(name: str) -> bool:
    """Whether a call is of another module's function, which may do anything."""
    root = name.partition(".")[0]
    known = (*QUIET, "sqlalchemy", "sa", "alembic")
    return "." in name and "(" not in name and root not in known


def _imported_class(name: str) -> str:
    """Return the class of the project in a full name."""
    parts = name.split(".")
    if len(parts) < 2 or parts[0] in LIBRARIES:
        return ""
    place = next((i for i, one in enumerate(parts) if i and _is_class(one)), 0)
    return ".".join(parts[: place + 1]) if place else ""


def _given(made: Call) -> bool:
    """Whether a call is given what it could change the database with."""
    return any(_is_connection(one) for one in (*made.args, *made.kwargs.values()))


def _is_connection(value: Any) -> bool:
    if isinstance(value, Ref):
        return value.name in ("op", "alembic.op")
    while isinstance(value, Call):
        if value.last in ("get_bind", "Session", "sessionmaker", "get_context"):
            return True
        value = value.receiver
    return False


def _is_class(name: str) -> bool:
    return name[:1].isupper() and (len(name) == 1 or not name.isupper())
