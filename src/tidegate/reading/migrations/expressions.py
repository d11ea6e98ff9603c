"""Expressions of code that is followed: what their calls do is noted on the way."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tidegate.reading.migrations.branches import compare
from tidegate.reading.migrations.kinds import Thing, Unknown, is_made
from tidegate.reading.migrations.modules import imported
from tidegate.reading.migrations.scopes import Scope, bind, span
from tidegate.reading.migrations.values import dotted, evaluate

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


class Expressions:
    """Says what expressions give. Statements are for a class that derives from this one."""

    def __init__(self, scope: Scope) -> None:
        self.module = scope
        self.raises = False
        self.vendors: tuple[str, ...] = ()
        self.maybe = 0
        self.unsure = False  # the function that is followed may have returned before
        self.outside: ast.Call | None = None  # the call that led out of the file

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow statements."""
        raise NotImplementedError

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

    def _over(self, target: ast.expr, row: Any, scope: Scope) -> None:
        """Bind what a loop over data gives: its names stand for one row, or nobody knows what."""
        names = [one for one in ast.walk(target) if isinstance(one, ast.Name)]
        for one in names:
            single = one is target or len(names) == 1 or one is names[-1]
            scope.names[one.id] = row if row is not None and single else Unknown("a loop over data")

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
