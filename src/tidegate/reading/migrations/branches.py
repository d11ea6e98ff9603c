"""Tests in a revision's code: whether they hold, or for which databases.

Each function takes `value_of`, which returns the value of an expression in a scope.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from tidegate.reading.migrations.choices import ALL, VENDORS, is_dialect
from tidegate.reading.migrations.kinds import Call, is_known, is_made
from tidegate.reading.migrations.scopes import Scope
from tidegate.reading.migrations.values import evaluate

ValueOf = Callable[[ast.expr, Scope], Any]


def decide(test: ast.expr, scope: Scope, value_of: ValueOf) -> Any:
    """Return True, False, the vendors for which it is true, or None."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        answer = decide(test.operand, scope, value_of)
        if isinstance(answer, tuple):
            return tuple(one for one in ALL if one not in answer)
        return None if answer is None else not answer
    if isinstance(test, ast.BoolOp):
        return _decide_several(test, scope, value_of)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return compare(test, scope, value_of)
    if isinstance(test, ast.Call):
        vendor = _beginning(test)
        if vendor:
            return (vendor,)
        value = value_of(test, scope)
        if isinstance(value, Call) and value.last == "is_offline_mode":
            return False
        if isinstance(value, tuple) and not is_made(value) and value[:1] == ("dialect is",):
            return value[1]
        return value if isinstance(value, bool) else vendor_asked_for(test.func)
    value = evaluate(test, scope)
    if isinstance(value, tuple) and not is_made(value) and value[:1] == ("dialect is",):
        return value[1]
    return bool(value) if isinstance(value, bool | int | str) or value is None else None


def _decide_several(test: ast.BoolOp, scope: Scope, value_of: ValueOf) -> Any:
    answers = [decide(one, scope, value_of) for one in test.values]
    both = isinstance(test.op, ast.And)
    if both and any(one is False for one in answers):
        return False
    if not both and any(one is True for one in answers):
        return True
    named = [one for one in answers if isinstance(one, tuple)]
    if named and all(isinstance(one, tuple | bool) for one in answers):
        sets = [set(one) for one in named]
        kept = set.intersection(*sets) if both else set.union(*sets)
        return tuple(one for one in ALL if one in kept)
    if all(isinstance(one, bool) for one in answers):
        return all(answers) if both else any(answers)
    return None


def compare(test: ast.Compare, scope: Scope, value_of: ValueOf) -> Any:
    """Return what a comparison says, as `decide` does."""
    left, right = value_of(test.left, scope), value_of(test.comparators[0], scope)
    if is_dialect(right):
        left, right = right, left
    operator = test.ops[0]
    if is_dialect(left):
        names = [right] if isinstance(right, str) else right
        if not isinstance(names, list | tuple) or is_made(names):
            return None
        found = {VENDORS.get(str(one).partition("+")[0], "other") for one in names}
        vendors = tuple(one for one in ALL if one in found)
        if isinstance(operator, ast.NotEq | ast.NotIn):
            return tuple(one for one in ALL if one not in vendors)
        return vendors or ("none",)
    if isinstance(operator, ast.In | ast.NotIn) and is_known(left) and is_known(right):
        held = isinstance(right, list | tuple | dict | str) and not isinstance(left, list | dict)
        if held and (not isinstance(right, str) or isinstance(left, str)):
            return (left in right) is isinstance(operator, ast.In)
    plain = not is_made(left) and not is_made(right)
    if plain and isinstance(left, str | int | None) and isinstance(right, str | int | None):
        if isinstance(operator, ast.Eq | ast.Is):
            return left == right
        if isinstance(operator, ast.NotEq | ast.IsNot):
            return left != right
    return None


def vendor_asked_for(func: ast.expr) -> tuple[str, ...] | None:
    """Return the vendor that a function asks for: `is_sqlite(bind)`; None for any other."""
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    vendor = VENDORS.get(name.lstrip("_").removeprefix("is_"), "")
    return (vendor,) if vendor and "is_" in name else None


def _beginning(test: ast.Call) -> str:
    """Return the vendor of `url.startswith("mysql")`; "" for any other call."""
    word = test.args[0] if len(test.args) == 1 else None
    if not isinstance(test.func, ast.Attribute) or test.func.attr != "startswith":
        return ""
    text = word.value if isinstance(word, ast.Constant) and isinstance(word.value, str) else ""
    text = text.partition(":")[0].partition("+")[0]
    return VENDORS.get(text, "")
