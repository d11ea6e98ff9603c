"""Code that is followed statement by statement; nothing is run.

Constants, functions of the file and of the project, loops over constants and tests of the dialect
are followed. Under a condition that can't be decided both branches are taken, with `maybe`.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tidegate.reading.migrations.branches import ALL, compare, decide
from tidegate.reading.migrations.kinds import Thing, Unknown, is_made
from tidegate.reading.migrations.modules import imported
from tidegate.reading.migrations.values import Scope, bind, declare, dotted, evaluate, span

DEPTH = 8
UNROLLED = 300
GROWS = ("append", "add", "extend", "insert", "update")
LOOPS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


class Returned(Exception):
    """A return statement ended the function."""

    def __init__(self, value: Any = None, raised: bool = False) -> None:
        super().__init__()
        self.value = value
        self.raised = raised


class Follower:
    """Follows functions. What they do on the way is for a class that derives from this one."""

    def __init__(self, scope: Scope) -> None:
        self.module = scope
        self.raises = False
        self.vendors: tuple[str, ...] = ()
        self.maybe = 0
        self.unsure = False  # the function that is followed may have returned before
        self.outside: ast.Call | None = None  # the call that led out of the file

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow statements."""
        for node in body:
            handler = getattr(self, "_" + type(node).__name__.lower(), None)
            if handler is not None and scope.left[0] > 0:
                scope.left[0] -= 1
                handler(node, scope)

    def place(self, node: Any) -> Any:
        """Return where a node stands; of code of another file, where the call of it stands."""
        return span(self.outside or node)

    # what one that derives may say more about

    def rows(self, items: Any, node: ast.expr, scope: Scope) -> Any:
        """Return a row, where a loop goes over rows of the database."""
        return None

    def entered(self, row: Any, node: ast.AST) -> None:
        """A loop over data begins: over rows of the database, or `row` is None."""

    def left(self) -> None:
        """It ends."""

    def shown(self) -> int | None:
        """Return how much was said, where a loop that says nothing new need not be gone through."""
        return None

    def stored(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """An attribute or an item was given a value."""

    # statements

    def _expr(self, node: ast.Expr, scope: Scope) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, scope, alone=True)

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        if isinstance(node.value, ast.Lambda):
            declare(node, scope)
            return
        value = self.value(node.value, scope)
        for target in node.targets:
            self._store(target, value, scope)

    def _store(self, target: ast.expr, value: Any, scope: Scope) -> None:
        if isinstance(target, ast.Attribute | ast.Subscript):
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
        scope.functions[node.name] = node

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

    def _while(self, node: ast.While, scope: Scope) -> None:
        self.value(node.test, scope)
        self.maybe += 1
        changed = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)
                   and isinstance(one.ctx, ast.Store)}  # fmt: skip
        for name in changed:
            if isinstance(scope.get(name), str | int | float):
                scope.names[name] = Unknown("it changes in a loop")
        self._quietly(node.body, scope)
        self.maybe -= 1

    def _quietly(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Follow a branch that may not be taken; return whether it leaves the function.

        A branch that raises ends the migration: what follows is written for the other case.
        """
        try:
            self.block(body, scope)
        except Returned as ended:
            self.unsure = self.unsure or not ended.raised
            return not ended.raised
        return False

    def _for(self, node: ast.For, scope: Scope) -> None:
        items = self.value(node.iter, scope)
        if isinstance(items, list | tuple) and not is_made(items) and len(items) <= UNROLLED:
            idle = 0
            for item in items:
                before = self.shown()
                bind(node.target, item, scope)
                self.block(node.body, scope)
                idle = idle + 1 if before is not None and self.shown() == before else 0
                if idle == 3:
                    return
            return
        row = self.rows(items, node.iter, scope)
        self._over(node.target, row, scope)
        self.maybe += 1
        self.entered(row, node)
        self._quietly(node.body, scope)
        self.left()
        self.maybe -= 1

    _asyncfor = _for

    def _over(self, target: ast.expr, row: Any, scope: Scope) -> None:
        """Bind what a loop over data gives: its names stand for one row, or nobody knows what."""
        names = [one for one in ast.walk(target) if isinstance(one, ast.Name)]
        for one in names:
            single = one is target or len(names) == 1 or one is names[-1]
            scope.names[one.id] = row if row is not None and single else Unknown("a loop over data")

    def _with(self, node: ast.With, scope: Scope) -> None:
        for item in node.items:
            value = self.value(item.context_expr, scope)
            if item.optional_vars is not None:
                bind(item.optional_vars, value, scope)
        self.block(node.body, scope)

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
        gone = self._quietly(node.body, scope)
        other = self._quietly(node.orelse, scope)
        if not (gone or other):
            self.maybe -= 1

    def _by_vendor(self, answer: tuple[str, ...], node: ast.If, scope: Scope) -> None:
        rest = tuple(one for one in ALL if one not in answer)
        left = self._for_vendors(answer, node.body, scope)
        other = self._for_vendors(rest, node.orelse, scope)
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

    # expressions

    def value(self, node: ast.expr, scope: Scope, alone: bool = False) -> Any:
        """Return an expression's value; what its calls do is noted on the way."""
        if isinstance(node, ast.Compare):
            answer = compare(node, scope, self.value)
            return ("dialect is", answer) if isinstance(answer, tuple) else answer
        if isinstance(node, LOOPS):
            return self.comprehension(node, scope)
        if isinstance(node, ast.NamedExpr):
            value = self.value(node.value, scope)
            bind(node.target, value, scope)
            return value
        if isinstance(node, ast.Call):
            return self.called(node, scope, alone)
        return evaluate(node, scope)

    def called(self, node: ast.Call, scope: Scope, alone: bool = False) -> Any:
        """Return what a call gives."""
        if self._grown(node, scope):
            return None
        found = self.function(node.func, scope)
        if found is not None:
            return self.inline(*found, node, scope)
        return self.foreign(node, scope, alone)

    def foreign(self, node: ast.Call, scope: Scope, alone: bool) -> Any:
        """Return what a call of something else gives."""
        return evaluate(node, scope)

    def element(self, value: Any) -> Any:
        """Return what a list gets: under a condition, an operation that may not run."""
        return value

    def grown(self, items: list[Any]) -> Any:
        """Return what a list has become."""
        return items

    def _grown(self, node: ast.Call, scope: Scope) -> bool:
        """Whether a call adds to a list that is known; then it is longer now."""
        func = node.func
        if not isinstance(func, ast.Attribute) or func.attr not in GROWS or not node.args:
            return False
        name = func.value.id if isinstance(func.value, ast.Name) else ""
        before = scope.get(name) if name else None
        if not isinstance(before, list):
            return False
        added = self.value(node.args[-1], scope)
        several = func.attr == "extend" and isinstance(added, list | tuple) and not is_made(added)
        more = [self.element(one) for one in (added if several else [added])]
        scope.names[name] = self.grown([*before, *more])
        return True

    def comprehension(self, node: Any, scope: Scope) -> Any:
        """Return the list that a comprehension makes, as far as its items are known."""
        loop, inner = node.generators[0], Scope(scope)
        items = self.value(loop.iter, scope)
        element = node.value if isinstance(node, ast.DictComp) else node.elt
        known = isinstance(items, list | tuple) and not is_made(items) and len(items) <= UNROLLED
        if known and len(node.generators) == 1 and not loop.ifs:
            out = []
            for item in items:
                bind(loop.target, item, inner)
                out.append(self.value(element, inner))
            return out if not isinstance(node, ast.DictComp) else Unknown("dictionary")
        row = self.rows(items, loop.iter, scope)
        self._over(loop.target, row, inner)
        self.maybe += 1
        self.entered(row, node)
        for more in node.generators[1:]:
            self._over(
                more.target, self.rows(self.value(more.iter, inner), more.iter, inner), inner
            )
        made = self.value(element, inner)
        self.left()
        self.maybe -= 1
        return self.several(made)

    def several(self, made: Any) -> Any:
        """Return a list of unknown length of such values."""
        return Unknown("a list that is computed")

    def function(self, func: ast.expr, scope: Scope) -> tuple[ast.FunctionDef, Scope] | None:
        """Return the function that is called, of this file or of the project, and its module."""
        name = func.id if isinstance(func, ast.Name) else ""
        own = scope.function(name) if name else None
        if own is not None:
            return own, scope
        full = dotted(func, scope)
        own = scope.function(full) if full.count(".") == 1 else None
        if own is not None:
            return own, scope
        return imported(full, scope)

    def inline(self, function: ast.FunctionDef, home: Scope, node: ast.Call, scope: Scope) -> Any:
        """Follow a function in place of its call."""
        args = [self.value(one, scope) for one in node.args]
        words = {one.arg: self.value(one.value, scope) for one in node.keywords if one.arg}
        led_out = home is not scope and self.outside is None
        if led_out:
            self.outside = node
        try:
            return self.follow(function, args, words, home)
        finally:
            if led_out:
                self.outside = None

    def follow(
        self, function: ast.FunctionDef, args: Sequence[Any], words: dict[str, Any], scope: Scope
    ) -> Any:
        """Follow a function from its beginning; return what it returns."""
        if scope.depth >= DEPTH or function in scope.active:
            return Unknown("calls too deep")
        inner = self.bound(function, args, words, scope)
        maybe, unsure, self.unsure = self.maybe, self.unsure, False
        value = None
        try:
            self.block(function.body, inner)
        except Returned as ended:
            value = ended.value
        told = not self.unsure
        self.maybe, self.unsure = maybe, unsure
        return value if told else self.one_of(value)

    def one_of(self, value: Any) -> Any:
        """Return what a function gives that may have returned something else before."""
        return value if isinstance(value, Thing) else Unknown("a condition")

    def bound(
        self, function: ast.FunctionDef, args: Sequence[Any], words: dict[str, Any], scope: Scope
    ) -> Scope:
        """Return the scope inside of a function that is called with these arguments."""
        inner = Scope(scope)
        inner.depth, inner.active = scope.depth + 1, (*scope.active, function)
        said = function.args
        names = [one.arg for one in (*said.posonlyargs, *said.args)]
        defaults = said.defaults
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            inner.names[name] = evaluate(default, scope)
        for word, other in zip(said.kwonlyargs, said.kw_defaults, strict=True):
            inner.names[word.arg] = (
                Unknown("an argument") if other is None else evaluate(other, scope)
            )
        inner.names.update(zip(names, args, strict=False))
        if said.vararg is not None:
            inner.names[said.vararg.arg] = list(args[len(names) :])
        taken = {*names, *(one.arg for one in said.kwonlyargs)}
        inner.names.update({key: one for key, one in words.items() if key in taken})
        if said.kwarg is not None:
            rest = {key: one for key, one in words.items() if key not in taken}
            inner.names[said.kwarg.arg] = rest
        for name in names:
            inner.names.setdefault(name, Unknown("an argument"))
        return inner
