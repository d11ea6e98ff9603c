"""Loops over rows in code that is followed, for both frameworks."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.reading.migrations.callees import callee
from tidegate.reading.migrations.following import Follower
from tidegate.reading.migrations.kinds import Call, Unknown
from tidegate.reading.migrations.orm import THROUGH
from tidegate.reading.migrations.rows import Batches, Loop, Loops, Row, Rows, queried
from tidegate.reading.migrations.scopes import Scope

HANDED = ("key", "func", "fn", "function", "target", "callback")  # words that take a function


class LoopFollower(Follower):
    """Follows code that goes over rows."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.loops = Loops()
        self.slices = 0  # loops around that may go over a table part by part
        self.turns = 0  # those of them that are a `while`

    def rows(self, items: Any, node: ast.expr, scope: Scope) -> Any:
        """Return a row of what a query brings, or the rows of a part of it."""
        if isinstance(items, Batches):
            return items.rows
        found = self.found(items)
        if found is None:
            return None
        return Row(found.name, not found.few or (found.slice and self.slices > 0), found.own)

    def found(self, items: Any) -> Rows | None:
        """Return the rows that a value is."""
        if isinstance(items, Rows):
            return items
        if isinstance(items, Call) and items.last in THROUGH and items.args:
            return self.found(items.args[0])
        return queried(items)

    def entered(self, row: Any, node: ast.AST) -> None:
        """A loop begins."""
        place = self.place(node)
        if isinstance(node, ast.For):
            place = place._replace(end_line=place.line)
        self.loops.open.append(Loop(row if isinstance(row, Row) else None, place, self.maybe))
        self.slices += 1

    def left(self) -> None:
        """A loop ends."""
        self.loops.open.pop()
        self.slices -= 1

    def _while(self, node: ast.While, scope: Scope) -> None:
        place = self.place(node)
        self.loops.open.append(Loop(None, place._replace(end_line=place.line), self.maybe, True))
        self.slices += 1
        self.turns += 1
        super()._while(node, scope)
        self.turns -= 1
        self.left()

    def several(self, made: Any, row: Any) -> Any:
        """Return the rows that a comprehension or a generator gathers."""
        if isinstance(made, Rows):
            return Batches(made)
        if isinstance(made, Row) and made.each:
            return Rows(made.name, own=made.own)
        if isinstance(row, Row) and row.each:
            return Rows(row.name, own=row.own)
        return super().several(made, row)

    def handed_on(
        self, args: list[Any], words: dict[str, Any], node: ast.Call, scope: Scope
    ) -> bool:
        """Follow functions that are handed to something else, which will call them.

        Where it gets rows as well, it calls them with each. Return whether there were any.
        """
        given = [*args, *(words[one] for one in HANDED if one in words)]
        functions = [one for one in (callee(each, scope) for each in given) if one is not None]
        if not functions:
            return False
        sources = [self.rows(one, node, scope) for one in args]
        row = next((one for one in sources if one is not None), None)
        self.maybe += 1
        self.entered(row, node)
        for one in functions:
            count = len(one.node.args.args) - len(one.args)
            filled = [Unknown("an argument") if row is None else row] * max(0, count)
            self.hand(one, filled, {}, node, scope)
        self.left()
        self.maybe -= 1
        return True
