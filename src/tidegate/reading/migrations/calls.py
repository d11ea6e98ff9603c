"""Functions of code that is followed, from their arguments to what they return."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tidegate.reading.migrations.callees import makes_rows
from tidegate.reading.migrations.kinds import Thing, Unknown, is_made
from tidegate.reading.migrations.scopes import Made, Scope, span
from tidegate.reading.migrations.values import evaluate

DEPTH = 8


class Returned(Exception):
    """A return statement ended the function."""

    def __init__(self, value: Any = None, raised: bool = False) -> None:
        super().__init__()
        self.value = value
        self.raised = raised


class Calls:
    """Follows functions. What expressions and statements do is for classes that derive from it."""

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

    def value(self, node: ast.expr, scope: Scope, alone: bool = False) -> Any:
        """Return an expression's value."""
        raise NotImplementedError

    def several(self, made: Any, row: Any) -> Any:
        """Return a list of unknown length of such values: one for each `row`, where that is one."""
        return Unknown("a list that is computed")

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
