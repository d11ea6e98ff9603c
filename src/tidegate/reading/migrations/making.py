"""What a function of the file or the project makes of its arguments."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tidegate.reading.migrations.branches import decide
from tidegate.reading.migrations.calls import Returned
from tidegate.reading.migrations.following import Follower
from tidegate.reading.migrations.kinds import Call, Unknown
from tidegate.reading.migrations.scopes import Scope


class _Maker(Follower):
    """Follows a function for what it returns."""

    def element(self, value: Any) -> Any:
        if self.maybe and isinstance(value, Call):
            return Call("tidegate.maybe", (value,), {}, value.span)
        return value

    def _return(self, node: ast.Return, scope: Scope) -> None:
        value = self.value(node.value, scope) if node.value else None
        known = not self.maybe or isinstance(value, list)
        raise Returned(value if known else Unknown("a condition"))

    def _if(self, node: ast.If, scope: Scope) -> None:
        if decide(node.test, scope, self.value) is None and _returns(node):
            raise Returned(Unknown("a condition"))
        super()._if(node, scope)


def _returns(node: ast.If) -> bool:
    return any(isinstance(one, ast.Return) for one in ast.walk(node))


def result(
    function: ast.FunctionDef, args: Sequence[Any], words: dict[str, Any], scope: Scope
) -> Any:
    """Return what a function makes of its arguments; Unknown where that can't be told."""
    return _Maker(scope).follow(function, args, words, scope)
