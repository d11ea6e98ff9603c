"""Code that is followed statement by statement; nothing is run.

Constants, functions of the file and of the project, loops over constants and tests of the dialect
are followed. Under a condition that can't be decided both branches are taken, with `maybe`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tidegate.reading.migrations.branches import decide
from tidegate.reading.migrations.calls import Returned
from tidegate.reading.migrations.choices import ALL, chosen
from tidegate.reading.migrations.declaring import declare
from tidegate.reading.migrations.expressions import UNROLLED, Expressions
from tidegate.reading.migrations.kinds import Instance, Ref, Unknown, is_made
from tidegate.reading.migrations.matching import as_conditions
from tidegate.reading.migrations.scopes import Scope, bind


class Skipped(Exception):
    """The rest of a loop's turn is not run; with `last`, the loop ends."""

    def __init__(self, last: bool = False) -> None:
        super().__init__()
        self.last = last


class Follower(Expressions):
    """Follows functions. What they do on the way is for a class that derives from this one."""

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow statements."""
        for node in body:
            handler = getattr(self, "_" + type(node).__name__.lower(), None)
            if handler is not None and scope.left[0] > 0:
                scope.left[0] -= 1
                handler(node, scope)

    # statements

    def _expr(self, node: ast.Expr, scope: Scope) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, scope, alone=True)

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self._store(target, value, scope)

    def _store(self, target: ast.expr, value: Any, scope: Scope) -> None:
        owner = self.value(target.value, scope) if isinstance(target, ast.Attribute) else None
        if isinstance(target, ast.Attribute) and isinstance(owner, Instance):
            owner.given[target.attr] = value
        elif isinstance(target, ast.Attribute | ast.Subscript):
            self.stored(target, value, scope)
        else:
            bind(target, value, scope)

    def _annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._store(node.target, self.value(node.value, scope), scope)

    def _augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        added = self.value(node.value, scope)
        target = node.target
        if not isinstance(target, ast.Name):
            self.stored(target, added, scope)
            return
        before = scope.get(target.id)
        result: Any = Unknown("it is put together")
        if isinstance(node.op, ast.Add):
            if isinstance(before, str) and isinstance(added, str):
                result = before + added
            elif isinstance(before, list) and isinstance(added, list | tuple):
                result = [*before, *(self.element(one) for one in added)]
        bind(target, result, scope)

    def _functiondef(self, node: ast.FunctionDef, scope: Scope) -> None:
        scope.names[node.name] = Ref(scope.make(node.name, node))

    _asyncfunctiondef = _functiondef

    def _assert(self, node: ast.Assert, scope: Scope) -> None:
        self.value(node.test, scope)

    def _continue(self, node: ast.Continue, scope: Scope) -> None:
        raise Skipped

    def _break(self, node: ast.Break, scope: Scope) -> None:
        raise Skipped(last=True)

    def _classdef(self, node: ast.ClassDef, scope: Scope) -> None:
        declare(node, scope)

    def _import(self, node: ast.Import, scope: Scope) -> None:
        declare(node, scope)

    def _importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        declare(node, scope)

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise Returned(self.value(node.value, scope) if node.value else None)

    def _raise(self, node: ast.Raise, scope: Scope) -> None:
        self.raises = True
        raise Returned(raised=True)

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

    _trystar = _try

    def _while(self, node: ast.While, scope: Scope) -> None:
        self.value(node.test, scope)
        maybe = self.maybe
        self.maybe += 1
        changed = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)
                   and isinstance(one.ctx, ast.Store)}  # fmt: skip
        for name in changed:
            if isinstance(scope.get(name), str | int | float):
                scope.names[name] = Unknown("it changes in a loop")
        self._quietly(node.body, scope)
        self.maybe = maybe
        self.block(node.orelse, scope)

    def _quietly(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Follow a branch that may not be taken; return whether it leaves the function or turn.

        A branch that raises ends the migration: what follows is written for the other case.
        """
        try:
            self.block(body, scope)
        except Skipped:
            return True
        except Returned as ended:
            self.unsure = self.unsure or not ended.raised
            return not ended.raised
        return False

    def _for(self, node: ast.For, scope: Scope) -> None:
        items = self.value(node.iter, scope)
        maybe, vendors = self.maybe, self.vendors
        if isinstance(items, list | tuple) and not is_made(items) and len(items) <= UNROLLED:
            self._turns(node, items, scope)
        else:
            row = self.rows(items, node.iter, scope)
            self._over(node.target, row, scope)
            self.maybe += 1
            self.entered(row, node)
            self._quietly(node.body, scope)
            self.left()
        self.maybe, self.vendors = maybe, vendors
        self.block(node.orelse, scope)

    def _turns(self, node: ast.For, items: Sequence[Any], scope: Scope) -> None:
        """Follow a loop over what is known, until three turns have shown nothing new."""
        idle, maybe, vendors = 0, self.maybe, self.vendors
        for item in items:
            before = self.shown()
            bind(node.target, item, scope)
            try:
                self.block(node.body, scope)
            except Skipped as ended:
                if ended.last:
                    return
            self.maybe, self.vendors = maybe, vendors
            idle = idle + 1 if before is not None and self.shown() == before else 0
            if idle == 3:
                return

    _asyncfor = _for

    def _with(self, node: ast.With, scope: Scope) -> None:
        for item in node.items:
            value = self.value(item.context_expr, scope)
            if item.optional_vars is not None:
                bind(item.optional_vars, value, scope)
        self.block(node.body, scope)

    _asyncwith = _with

    def _match(self, node: ast.Match, scope: Scope) -> None:
        subject = f"match {node.lineno}:{node.col_offset}"
        scope.names[subject] = self.value(node.subject, scope)
        self.block(as_conditions(node, subject), scope)

    def _if(self, node: ast.If, scope: Scope) -> None:
        if isinstance(node.test, ast.NamedExpr):
            self.value(node.test, scope)
        answer = decide(node.test, scope, self.value)
        if answer is True or answer is False:
            self.block(node.body if answer else node.orelse, scope)
            return
        if isinstance(answer, tuple):
            self._by_vendor(answer, node, scope)
            return
        self.maybe += 1
        before = dict(scope.names)
        gone = self._quietly(node.body, scope)
        between = dict(scope.names)
        other = self._quietly(node.orelse, scope)
        if not (gone or other):
            chosen(scope.names, before, between, ((), ()))
            self.maybe -= 1

    def _by_vendor(self, answer: tuple[str, ...], node: ast.If, scope: Scope) -> None:
        rest = tuple(one for one in ALL if one not in answer)
        before = dict(scope.names)
        left = self._for_vendors(answer, node.body, scope)
        between = dict(scope.names)
        other = self._for_vendors(rest, node.orelse, scope)
        if not (left or other):
            chosen(scope.names, before, between, (answer, rest))
        if left != other:  # the rest of the function runs on the vendors that did not return
            stay = rest if left else answer
            self.vendors = tuple(o for o in self.vendors or ALL if o in stay) or ("none",)
        elif left and other:
            raise Returned

    def _for_vendors(
        self, vendors: tuple[str, ...], body: Sequence[ast.stmt], scope: Scope
    ) -> bool:
        before = self.vendors
        self.vendors = tuple(one for one in vendors if not before or one in before) or ("none",)
        try:
            return self._quietly(body, scope)
        finally:
            self.vendors = before
