"""Expressions of code that is followed: what their calls do is noted on the way."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.reading.migrations.branches import compare, vendor_asked_for
from tidegate.reading.migrations.callees import callee, instance, method
from tidegate.reading.migrations.calls import Calls
from tidegate.reading.migrations.choices import ALL
from tidegate.reading.migrations.kinds import Choice, Instance, Ref, Unknown, is_made
from tidegate.reading.migrations.scopes import Made, Scope, bind
from tidegate.reading.migrations.values import applied, dotted, evaluate, evaluates

UNROLLED = 300
GROWS = ("append", "add", "extend", "insert", "update")
LOOPS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


class Expressions(Calls):
    """Says what expressions give. Statements are for a class that derives from this one."""

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
        if isinstance(node, ast.Await):
            return self.value(node.value, scope, alone)
        if isinstance(node, ast.Yield | ast.YieldFrom):
            value = None if node.value is None else self.value(node.value, scope)
            whole = isinstance(node, ast.YieldFrom)
            for one in self.yielded[-1:]:
                one.append((whole, self.element(value)))
            return Unknown("what is sent to a generator")
        if not evaluates(node):
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, ast.expr):
                    self.value(inner, scope)
        return evaluate(node, scope)

    def called(self, node: ast.Call, scope: Scope, alone: bool = False) -> Any:
        """Return what a call gives."""
        if self._grown(node, scope):
            return None
        func = node.func
        base = self.value(func.value, scope) if isinstance(func, ast.Attribute) else None
        value = self._what(func, base, scope)
        if isinstance(value, Choice):
            return self._each(value, node, scope)
        found = callee(value, scope)
        if found is not None:
            given = self.inline(found, node, scope)
            vendor = vendor_asked_for(func) if isinstance(given, Unknown) else None
            return given if vendor is None else ("dialect is", vendor)
        made = instance(value, scope)
        if made is not None:
            init = callee(Ref(f"{made.name}.__init__"), scope)
            if init is not None:
                self.inline(init._replace(args=(made,)), node, scope)
            return made
        return self.foreign(node, scope, alone, base)

    def _what(self, func: ast.expr, base: Any, scope: Scope) -> Any:
        """Return what is called: a Made, a Ref, or whatever an expression gives."""
        if isinstance(func, ast.Name):
            return scope.get(func.id)
        if not isinstance(func, ast.Attribute):
            return self.value(func, scope)
        if isinstance(base, Instance):
            return method(base, func.attr)
        full = dotted(func, scope)
        return Ref(full) if full else Unknown("a method")

    def _each(self, choice: Choice, node: ast.Call, scope: Scope) -> Any:
        """Follow a call of a function that depends on the database."""
        before = self.vendors
        for vendors, value in choice.options:
            found = callee(value, scope)
            self.vendors = tuple(one for one in vendors or ALL if not before or one in before)
            if found is not None and self.vendors:
                self.inline(found, node, scope)
            self.vendors = before
        return Unknown("a condition")

    def foreign(self, node: ast.Call, scope: Scope, alone: bool, base: Any) -> Any:
        """Return what a call of something else gives. `base` is what a method is called on."""
        return applied(node, *self.arguments(node, scope), scope, base)

    def arguments(self, node: ast.Call, scope: Scope) -> tuple[list[Any], dict[str, Any]]:
        """Return what a call is given; lists and dictionaries with stars in their places."""
        args: list[Any] = []
        for one in node.args:
            value = self.value(one.value if isinstance(one, ast.Starred) else one, scope)
            if not isinstance(one, ast.Starred):
                args.append(value)
            elif isinstance(value, list | tuple) and not is_made(value):
                args.extend(value)
            else:
                args.append(Unknown("*args"))
        words: dict[str, Any] = {}
        for word in node.keywords:
            value = self.value(word.value, scope)
            if word.arg is not None:
                words[word.arg] = value
            elif isinstance(value, dict):
                words.update({str(key): inner for key, inner in value.items()})
            else:
                words["**"] = value
        return args, words

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
        for test in loop.ifs:
            self.value(test, inner)
        for more in node.generators[1:]:
            self._over(
                more.target, self.rows(self.value(more.iter, inner), more.iter, inner), inner
            )
        made = self.value(element, inner)
        self.left()
        self.maybe -= 1
        return self.several(
            made, row if isinstance(node, ast.ListComp | ast.GeneratorExp) else None
        )

    def _over(self, target: ast.expr, row: Any, scope: Scope) -> None:
        """Bind what a loop over data gives: its names stand for one row, or nobody knows what."""
        for one in ast.walk(target):
            if isinstance(one, ast.Name):
                scope.names[one.id] = Unknown("a loop over data") if row is None else row

    def inline(self, found: Made, node: ast.Call, scope: Scope) -> Any:
        """Follow a function in place of its call."""
        args, words = self.arguments(node, scope)
        return self.hand(found, args, words, node, scope)
