"""What a revision's functions ask Alembic and the connection to do, as they are followed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from tidegate.model.operation import Trait
from tidegate.reading.migrations.expressions import Returned
from tidegate.reading.migrations.following import Follower
from tidegate.reading.migrations.kinds import Call, Ref
from tidegate.reading.migrations.record import Said
from tidegate.reading.migrations.rows import Loop, Loops, Row, Rows, queried, writes_rows
from tidegate.reading.migrations.scopes import LIBRARIES, Scope, bind, span
from tidegate.reading.migrations.values import evaluate

QUIET = ("print", "logging", "logger", "log", "len", "isinstance", "getattr", "hasattr", "str",
         "datetime", "json", "time", "uuid", "os", "re", "super", "warnings", "sys")  # fmt: skip
ASKING = ("query", "select", "update", "insert", "delete", "get", "add", "merge", "bulk_insert",
          "bulk_insert_mappings", "bulk_update_mappings")  # fmt: skip


class Batch(NamedTuple):
    """What `with op.batch_alter_table(...) as name` binds."""

    table: Any
    kwargs: dict[str, Any]


class AlembicFollower(Follower):
    """Follows one function and collects what it asks Alembic and the connection to do."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.loops = Loops()
        self.said: list[Said] = []
        self.transaction = 1
        self.autocommit = False

    def run(self, function: ast.FunctionDef | None) -> list[Said]:
        """Follow `function` from its beginning."""
        if function is not None:
            try:
                self.block(function.body, Scope(self.module))
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

    def rows(self, items: Any, node: ast.expr, scope: Scope) -> Any:
        """Return a row of what a query brings."""
        found = items if isinstance(items, Rows) else queried(items)
        return None if found is None else Row(found.name, not found.few)

    def entered(self, row: Any, node: ast.AST) -> None:
        """A loop begins."""
        place = self.place(node)
        if isinstance(node, ast.For):
            place = place._replace(end_line=place.line)
        self.loops.open.append(Loop(row if isinstance(row, Row) else None, place))

    def left(self) -> None:
        """A loop ends."""
        self.loops.open.pop()

    def stored(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """A row that is given a value is written with the rest, one statement for each."""
        if isinstance(target, ast.Attribute):
            row = self.value(target.value, scope)
            if isinstance(row, Row) and self.loops.write(row, self.vendors):
                self._shows(self.loops.traits[-1])

    # calls

    def foreign(self, node: ast.Call, scope: Scope, alone: bool) -> Any:
        """Return what a call gives; note what it asks Alembic or the connection to do."""
        func = node.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Call):
            self.value(func.value, scope)  # `bind.execute(...).fetchall()`
        value = evaluate(node, scope)
        if not isinstance(value, Call):
            return value
        self._todays(value, node)
        return self._note(value, node, alone)

    def _todays(self, made: Call, node: ast.Call) -> None:
        """Note a model that is imported: the code of today."""
        for one in _calls_in(made):
            named = [one.name] if ".__table__" in one.name or ".query." in one.name else []
            if one.last in ASKING:
                named += [value.name for value in one.args[:1] if isinstance(value, Ref | Call)]
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
            self._say(made, node, made.receiver)
        elif owner in ("alembic.op", "op") or made.name.startswith("alembic.op."):
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
        elif last == "create_all":
            self._say(made, node)
        elif alone and made.receiver is None and _is_foreign(made.name):
            self._say(made._replace(name="foreign_call"), node, said=made.name)
        return made

    def _say(self, made: Call, node: ast.Call, batch: Batch | None = None, said: str = "") -> None:
        kwargs = {**made.kwargs, "foreign": said} if said else made.kwargs
        args = made.args if made.receiver is None else (*made.args,)
        if made.name.startswith(("enum_", "query_")):
            args = (made.receiver, *made.args)
        last = made.name.rpartition(".")[2]
        writes = last == "execute" and bool(args) and writes_rows(args[0])
        if (writes or last.startswith("query_")) and self.loops.write(None, self.vendors):
            self._shows(self.loops.traits[-1])
        self.said.append(
            Said(
                made.name.rpartition(".")[2],
                args,
                kwargs,
                span(self.outside) if self.outside is not None else made.span,
                0 if self.autocommit else self.transaction,
                self.vendors,
                self.maybe > 0,
                (batch.table, batch.kwargs) if batch is not None else None,
            )
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
    return bool(name) and root not in (*QUIET, "sqlalchemy", "sa", "alembic") and "." in name


def _calls_in(value: Any, depth: int = 0) -> Iterator[Call]:
    """Yield a call, what it is called on, and the calls in its arguments."""
    while isinstance(value, Call) and depth < 6:
        yield value
        for one in value.args:
            yield from _calls_in(one, depth + 1)
        value = value.receiver


def _imported_class(name: str) -> str:
    """Return the class of the project in a full name."""
    parts = name.split(".")
    if len(parts) < 2 or parts[0] in LIBRARIES:
        return ""
    place = next((i for i, one in enumerate(parts) if i and _is_class(one)), 0)
    return ".".join(parts[: place + 1]) if place else ""


def _is_class(name: str) -> bool:
    return name[:1].isupper() and (len(name) == 1 or not name.isupper())
