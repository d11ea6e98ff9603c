"""`match` as the conditions that it is."""

from __future__ import annotations

import ast

NOBODY_KNOWS = "which of the patterns fits"


def as_conditions(node: ast.Match, subject: str) -> list[ast.stmt]:
    """Return the cases as `if` and `elif`; `subject` is the name of what is matched."""
    out: list[ast.stmt] = []
    for case in reversed(node.cases):
        test = _test(case.pattern, subject, node)
        bound = _bound(case.pattern, subject, node)
        if case.guard is not None:
            test = ast.BoolOp(ast.And(), [test, case.guard])
        made = ast.If(ast.copy_location(test, node), [*bound, *case.body], out)
        out = [ast.copy_location(made, case.pattern)]
    return out


def _test(pattern: ast.pattern, subject: str, node: ast.Match) -> ast.expr:
    """Return the condition of a pattern; one that can't be decided for what looks into values."""
    name = ast.copy_location(ast.Name(subject, ast.Load()), node)
    if isinstance(pattern, ast.MatchAs):
        if pattern.pattern is None:
            return ast.copy_location(ast.Constant(True), node)
        return _test(pattern.pattern, subject, node)
    if isinstance(pattern, ast.MatchValue):
        return ast.copy_location(ast.Compare(name, [ast.Eq()], [pattern.value]), node)
    if isinstance(pattern, ast.MatchSingleton):
        value = ast.copy_location(ast.Constant(pattern.value), node)
        return ast.copy_location(ast.Compare(name, [ast.Is()], [value]), node)
    if isinstance(pattern, ast.MatchOr):
        tests = [_test(one, subject, node) for one in pattern.patterns]
        return ast.copy_location(ast.BoolOp(ast.Or(), tests), node)
    return ast.copy_location(ast.Name(NOBODY_KNOWS, ast.Load()), node)


def _bound(pattern: ast.pattern, subject: str, node: ast.Match) -> list[ast.stmt]:
    """Return the assignment of a pattern that only gives the value a name."""
    if not isinstance(pattern, ast.MatchAs) or pattern.name is None:
        return []
    value = ast.copy_location(ast.Name(subject, ast.Load()), node)
    target = ast.copy_location(ast.Name(pattern.name, ast.Store()), node)
    return [ast.copy_location(ast.Assign([target], value), node)]
