"""Expressions of code that is followed: what their calls do is noted on the way."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tidegate.reading.migrations.branches import compare, vendor_asked_for
from tidegate.reading.migrations.callees import callee, instance, makes_rows, method
from tidegate.reading.migrations.choices import ALL
from tidegate.reading.migrations.kinds import Choice, Instance, Ref, Thing, Unknown, is_made
from tidegate.reading.migrations.scopes import Made, Scope, bind, span
from tidegate.reading.migrations.values import applied, dotted, evaluate, evaluates

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
        self.yielded: list[list[tuple[bool, Any]]] = []  # by the generators that are followed

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
        names = [one for one in ast.walk(target) if isinstance(one, ast.Name)]
        for one in names:
            single = one is target or len(names) == 1 or one is names[-1]
            scope.names[one.id] = row if row is not None and single else Unknown("a loop over data")

    def several(self, made: Any, row: Any) -> Any:
        """Return a list of unknown length of such values: one for each `row`, where that is one."""
        return Unknown("a list that is computed")

    def inline(self, found: Made, node: ast.Call, scope: Scope) -> Any:
        """Follow a function in place of its call."""
        args, words = self.arguments(node, scope)
        return self.hand(found, args, words, node, scope)

    def hand(
        self, found: Made, args: Sequence[Any], words: dict[str, Any], node: ast.Call, scope: Scope
    ) -> Any:
        """Follow a function with arguments that are known."""
        led_out = found.home.root is not scope.root and self.outside is None
        if led_out:
            self.outside = node
        inner = scope.inside(found.home)
        try:
            return self.follow(found.node, (*found.args, *args), {**found.words, **words}, inner)
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
        maybe, vendors, unsure, self.unsure = self.maybe, self.vendors, self.unsure, False
        generates = makes_rows(function)
        value = None
        if generates:
            self.yielded.append([])
        try:
            self.block(function.body, inner)
        except Returned as ended:
            value = ended.value
        told = not self.unsure
        self.maybe, self.vendors, self.unsure = maybe, vendors, unsure
        if generates:
            return self.generated(self.yielded.pop())
        return value if told else self.one_of(value)

    def generated(self, items: Sequence[tuple[bool, Any]]) -> Any:
        """Return what a generator gives, of what it yields."""
        out: list[Any] = []
        for whole, value in items:
            if isinstance(value, Thing):
                return value if whole else self.several(value, None)
            plain = isinstance(value, list | tuple) and not is_made(value)
            if whole and not plain:
                return Unknown("a generator")
            out.extend(value if whole else [value])
        return out

    def one_of(self, value: Any) -> Any:
        """Return what a function gives that may have returned something else before."""
        return value if isinstance(value, Thing) else Unknown("a condition")

    def bound(
        self, function: ast.FunctionDef, args: Sequence[Any], words: dict[str, Any], scope: Scope
    ) -> Scope:
        """Return the scope inside of a function that is called with these arguments."""
        inner = Scope(scope)
        inner.follower = self.value
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
