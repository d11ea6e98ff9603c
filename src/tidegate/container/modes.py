"""Variables that switch: `if os.getenv("DB") == "postgres"` in the settings.

What such a variable does can't be seen by a marker, only by the very word that it is compared
with, so the project's own settings files are read for these. A recipe that was learnt without
such a word must not be used with it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")
ENGINES = ("django.db.backends.postgresql", "postgresql", "django.db.backends.sqlite3")
MOST_WORDS = 12


def compared(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return, by variable, the words that the files compare it with, in their order."""
    found: dict[str, list[str]] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError):
            continue
        named = dict(_names(tree))
        for node in ast.walk(tree):
            for name, word in _pairs(node, named):
                words = found.setdefault(name, [])
                if word not in words and len(words) < MOST_WORDS:
                    words.append(word)
    return found


def _names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names of the file that are given the value of a variable of the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        variable = _variable(value, {})
        if isinstance(target, ast.Name) and variable:
            yield target.id, variable


def _pairs(node: ast.AST, named: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        variables = [found for side in sides if (found := _variable(side, named))]
        for side in sides:
            yield from ((name, word) for name in variables for word in _words(side))
    elif isinstance(node, ast.Match) and (name := _variable(node.subject, named)):
        for case in node.cases:
            yield from ((name, word) for word in _words(case.pattern))
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        name = _variable(node.slice, named)
        keys = [key for key in node.value.keys if name and key]
        yield from ((name, word) for key in keys for word in _words(key))


def _variable(node: ast.AST, named: Mapping[str, str]) -> str:
    """Return the variable that an expression reads: `os.getenv("DB")`, `env.str("DB").lower()`."""
    if isinstance(node, ast.Name):
        return named.get(node.id, "")
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and inner.args:
            said = inner.args[0]
        elif isinstance(inner, ast.Subscript):
            said = inner.slice
        else:
            continue
        word = said.value if isinstance(said, ast.Constant) else None
        if isinstance(word, str) and VARIABLE.fullmatch(word):
            return word
    return ""


def _words(node: ast.AST) -> Iterator[str]:
    """Yield the constant words of one side: `"a"`, `("a", "b")`, `case "a" | "b"`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from _words(element)
    elif isinstance(node, ast.MatchValue):
        yield from _words(node.value)
    elif isinstance(node, ast.MatchOr):
        for pattern in node.patterns:
            yield from _words(pattern)
