"""An Alembic revision as a Record: `upgrade` and `downgrade` are followed statement by statement.

Nothing is run. Constants, helper functions of the file, loops over constants, batch mode,
`autocommit_block` and tests of the dialect are followed; under a condition that can't be decided
both branches are taken and marked with `maybe`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from tidegate.model.operation import Trait
from tidegate.reading import newersyntax
from tidegate.reading.migrations.alembic_branches import ALL, compare, decide
from tidegate.reading.migrations.record import TEMPORARY, Record, Said, suppressions
from tidegate.reading.migrations.traits import OUTSIDE
from tidegate.reading.migrations.values import (
    Call,
    Scope,
    Unknown,
    bind,
    declare,
    dotted,
    evaluate,
    is_made,
    module_scope,
    span,
)

DEPTH = 8
UNROLLED = 300
QUIET = ("print", "logging", "logger", "log", "len", "isinstance", "getattr", "hasattr", "str",
         "datetime", "json", "time", "uuid", "os", "re", "super", "warnings", "sys")  # fmt: skip
GLANCE = re.compile(r"^(down_)?revision\b", re.MULTILINE)


class Batch(NamedTuple):
    """What `with op.batch_alter_table(...) as name` binds."""

    table: Any
    kwargs: dict[str, Any]


def read(source: str, path: str, name: str) -> Record | None:
    """Return the Record of a file; None where it is no revision."""
    if not GLANCE.search(source):
        return None
    try:
        tree = newersyntax.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 1) or 1
        return Record("alembic", name, path, problem=f"line {line}: {error.args[0]}")
    scope = module_scope(tree)
    revision = scope.names.get("revision")
    if not isinstance(revision, str) or "down_revision" not in scope.names:
        return None
    upgrade, downgrade = scope.function("upgrade"), scope.function("downgrade")
    forward = _Follower(scope).run(upgrade)
    if upgrade is not None and not forward and not _is_trivial(upgrade):
        forward.append(Said("code", (), {}, _title(upgrade)))
    going_back = _Follower(scope)
    backward = going_back.run(downgrade)
    return Record(
        framework="alembic",
        id=revision,
        path=path,
        needs=(*_ids(scope.names["down_revision"]), *_ids(scope.names.get("depends_on"))),
        forward=tuple(forward),
        backward=tuple(backward),
        backward_state=_state(downgrade, backward, going_back.raises),
        traits={"downgrade": (), "upgrade": _outside(upgrade, scope)},
        allowed=suppressions(source),
        title=_title(upgrade),
        branch_labels=_ids(scope.names.get("branch_labels")),
        settings={"down": _ids(scope.names["down_revision"]), "downgrade": _title(downgrade)},
        temporary=source.startswith(TEMPORARY),
    )


def _title(function: ast.FunctionDef | None) -> Any:
    if function is None:
        return Record("", "", "").title
    end = function.col_offset + len(function.name) + 5
    return span(function)._replace(end_line=function.lineno, end_column=end)


def _ids(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and not is_made(value):
        return tuple(one for one in value if isinstance(one, str))
    return ()


def _state(function: ast.FunctionDef | None, said: Sequence[Said], raises: bool) -> str:
    if function is None:
        return "missing"
    if raises and not said:
        return "raises"
    return "done" if said else "empty"


def _is_trivial(function: ast.FunctionDef) -> bool:
    """Whether a function does nothing: a docstring, `pass`, `...`."""
    return all(
        isinstance(node, ast.Pass | ast.Return)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _outside(function: ast.FunctionDef | None, scope: Scope) -> tuple[Trait, ...]:
    found = []
    for node in ast.walk(function) if function else ():
        if isinstance(node, ast.Call):
            name = dotted(node.func, scope)
            if (name.split(".")[0] in OUTSIDE and "." in name) or name == "open":
                found.append(Trait("outside", name, span(node)))
    return tuple(found)


class _Return(Exception):
    """A return statement ended the function."""

    def __init__(self, value: Any = None, raised: bool = False) -> None:
        super().__init__()
        self.value = value
        self.raised = raised


class _Follower:
    """Follows one function and collects what it asks Alembic and the connection to do."""

    def __init__(self, scope: Scope) -> None:
        self.module = scope
        self.said: list[Said] = []
        self.raises = False
        self.transaction = 1
        self.autocommit = False
        self.vendors: tuple[str, ...] = ()
        self.maybe = 0
        self.depth = 0

    def run(self, function: ast.FunctionDef | None) -> list[Said]:
        """Follow `function` from its beginning."""
        if function is not None:
            try:
                self.block(function.body, Scope(self.module))
            except _Return:
                pass
        return self.said

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for node in body:
            handler = getattr(self, "_" + type(node).__name__.lower(), None)
            if handler is not None:
                handler(node, scope)

    # statements

    def _expr(self, node: ast.Expr, scope: Scope) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, scope, alone=True)

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            bind(target, value, scope)

    def _annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            bind(node.target, self.value(node.value, scope), scope)

    def _augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        self.value(node.value, scope)
        bind(node.target, Unknown("it is put together"), scope)

    def _functiondef(self, node: ast.FunctionDef, scope: Scope) -> None:
        scope.functions[node.name] = node

    def _import(self, node: ast.Import, scope: Scope) -> None:
        declare(node, scope)

    def _importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        declare(node, scope)

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise _Return(self.value(node.value, scope) if node.value else None)

    def _raise(self, node: ast.Raise, scope: Scope) -> None:
        self.raises = True
        raise _Return(raised=True)

    def _try(self, node: ast.Try, scope: Scope) -> None:
        self.block(node.body, scope)
        self.maybe += 1
        try:
            for handler in node.handlers:
                self._quietly(handler.body, scope)
        finally:
            self.maybe -= 1
        self.block(node.orelse, scope)
        self.block(node.finalbody, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        self.maybe += 1
        self._quietly(node.body, scope)
        self.maybe -= 1

    def _quietly(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Follow a branch that may not be taken; return whether it leaves the function.

        A branch that raises ends the migration: what follows is written for the other case.
        """
        try:
            self.block(body, scope)
        except _Return as ended:
            return not ended.raised
        return False

    def _for(self, node: ast.For, scope: Scope) -> None:
        items = self.value(node.iter, scope)
        known = isinstance(items, list | tuple) and not is_made(items) and len(items) <= UNROLLED
        if known:
            for item in items:
                bind(node.target, item, scope)
                self.block(node.body, scope)
            return
        bind(node.target, Unknown("a loop over data"), scope)
        self.maybe += 1
        self._quietly(node.body, scope)
        self.maybe -= 1

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

    def _if(self, node: ast.If, scope: Scope) -> None:
        answer = decide(node.test, scope, self.value)
        if answer is True or answer is False:
            self.block(node.body if answer else node.orelse, scope)
            return
        if isinstance(answer, tuple):
            rest = tuple(one for one in ALL if one not in answer)
            left = self._for_vendors(answer, node.body, scope)
            other = self._for_vendors(rest, node.orelse, scope)
            if left != other:  # the rest of the function runs on the vendors that did not return
                stay = rest if left else answer
                self.vendors = tuple(o for o in self.vendors or ALL if o in stay)
            elif left and other:
                raise _Return
            return
        self.maybe += 1
        gone = self._quietly(node.body, scope)
        other = self._quietly(node.orelse, scope)
        if not (gone or other):
            self.maybe -= 1

    def _for_vendors(
        self, vendors: tuple[str, ...], body: Sequence[ast.stmt], scope: Scope
    ) -> bool:
        before = self.vendors
        self.vendors = tuple(one for one in vendors if not before or one in before) or ("none",)
        try:
            return self._quietly(body, scope)
        finally:
            self.vendors = before

    # expressions

    def value(self, node: ast.expr, scope: Scope, alone: bool = False) -> Any:
        """Return an expression's value; calls that do something are noted on the way."""
        if isinstance(node, ast.Compare):
            answer = compare(node, scope, self.value)
            return ("dialect is", answer) if isinstance(answer, tuple) else answer
        if not isinstance(node, ast.Call):
            return evaluate(node, scope)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        function = scope.function(name) if name else None
        if function is not None:
            return self._inline(function, node, scope)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
            self._inner(node.func.value, scope)
        value = evaluate(node, scope)
        return self._note(value, node, alone) if isinstance(value, Call) else value

    def _inner(self, node: ast.Call, scope: Scope) -> None:
        """Note what a chained call does: `bind.execute(...).fetchall()`."""
        self.value(node, scope)

    def _inline(self, function: ast.FunctionDef, node: ast.Call, scope: Scope) -> Any:
        if self.depth >= DEPTH:
            return Unknown("calls too deep")
        inner = Scope(scope)
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        defaults = function.args.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            inner.names[name] = evaluate(default, self.module)
        for word, default_ in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
            if default_ is not None:
                inner.names[word.arg] = evaluate(default_, self.module)
        for name, given in zip(names, node.args, strict=False):
            inner.names[name] = self.value(given, scope)
        for keyword in node.keywords:
            if keyword.arg:
                inner.names[keyword.arg] = self.value(keyword.value, scope)
        for name in names:
            inner.names.setdefault(name, Unknown("an argument"))
        self.depth += 1
        maybe = self.maybe
        try:
            self.block(function.body, inner)
        except _Return as ended:
            return ended.value
        finally:
            self.depth -= 1
            self.maybe = maybe
        return None

    def _note(self, made: Call, node: ast.Call, alone: bool) -> Any:
        owner, last = made.name.rpartition(".")[0], made.last
        if isinstance(made.receiver, Batch):
            self._say(made, made.receiver)
        elif owner in ("alembic.op", "op") or made.name.startswith("alembic.op."):
            if last in ("get_bind", "get_context", "f", "inline_literal", "batch_alter_table"):
                return made.args[0] if last == "f" and made.args else made
            self._say(made)
        elif last in ("execute", "exec_driver_sql", "scalar", "scalars") and made.args:
            self._say(made._replace(name="execute"))
        elif last in ("create", "drop") and _is_enum(made.receiver):
            self._say(made._replace(name="enum_" + last))
        elif (
            last in ("update", "delete", "commit", "add_all", "bulk_save_objects") and made.receiver
        ):
            if last in ("update", "delete") and _is_query(made.receiver):
                self._say(made._replace(name="query_" + last))
        elif last == "create_all":
            self._say(made)
        elif alone and made.receiver is None and _is_foreign(made.name):
            self._say(made._replace(name="foreign_call"), said=made.name)
        return made

    def _say(self, made: Call, batch: Batch | None = None, said: str = "") -> None:
        kwargs = {**made.kwargs, "foreign": said} if said else made.kwargs
        args = made.args if made.receiver is None else (*made.args,)
        if made.name.startswith(("enum_", "query_")):
            args = (made.receiver, *made.args)
        self.said.append(
            Said(
                made.name.rpartition(".")[2],
                args,
                kwargs,
                made.span,
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
