"""A loop of Alembic over constants as what it does: each round with its own names."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.workflows.check.edits import Source, applied
from tidegate.workflows.staging.stage import open_string

Edit = tuple[int, int, str]
MOST = 40  # more rounds than that nobody wants to read


def first(source: Source) -> list[Edit]:
    """Return the edit that writes the first loop out; none where there is none that can be."""
    for function in source.tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in function.body if function.name in ("upgrade", "downgrade") else ():
            text = _rounds(source, node) if isinstance(node, ast.For) else ""
            if text:
                return [(source.offset(node.lineno, 0), source.end(node), text)]
    return []


def _rounds(source: Source, node: ast.For) -> str:
    rounds = list(_values(source, node))
    start, end = source.offset(node.body[0].lineno, 0), source.end(node)
    plain = all(isinstance(one, ast.Expr) for one in node.body) and not node.orelse
    if not rounds or len(rounds) > MOST or not plain or node.body[0].lineno <= node.iter.lineno:
        return ""
    inner = source.text[start:end]
    if open_string(inner) or start < source.end(node.iter):
        return ""
    by = " " * (node.body[0].col_offset - node.col_offset)
    head = source.text[source.end(node.iter) : start]
    comments = [" " * node.col_offset + line[line.index("#") :]
                for line in head.splitlines() if "#" in line]  # fmt: skip
    out = []
    for number, names in enumerate(rounds):
        edits = list(_named(source, node, names))
        text = applied(inner, [(a - start, b - start, new) for a, b, new in edits])
        lines = [line.removeprefix(by) for line in text.split("\n")]
        out += lines if not number else [one for one in lines if not one.strip().startswith("#")]
    return "\n".join([*comments, *out])


def _values(source: Source, node: ast.For) -> Iterator[dict[str, object]]:
    """Return the names and values of each round; nothing where one can't be told."""
    made = node.iter
    if isinstance(made, ast.Name):
        made = next((one.value for one in source.tree.body if isinstance(one, ast.Assign)
                     and any(isinstance(t, ast.Name) and t.id == made.id for t in one.targets)),
                    made)  # fmt: skip
    if isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute):
        if made.func.attr != "items" or made.args or not isinstance(made.func.value, ast.Dict):
            return
        made = made.func.value
        pairs = [ast.Tuple([key, value]) for key, value in zip(made.keys, made.values, strict=True)
                 if key is not None]  # fmt: skip
        made = ast.List(list(pairs))
    if not isinstance(made, ast.List | ast.Tuple):
        return
    out = []
    for one in made.elts:
        try:
            value = ast.literal_eval(one)
        except (ValueError, TypeError):
            return
        names = _bound(node.target, value)
        if names is None:
            return
        out.append(names)
    yield from out


def _bound(target: ast.expr, value: object) -> dict[str, object] | None:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, ast.Tuple) or not isinstance(value, tuple | list):
        return None
    if len(target.elts) != len(value) or not all(isinstance(n, ast.Name) for n in target.elts):
        return None
    return {name.id: one for name, one in zip(target.elts, value, strict=True)
            if isinstance(name, ast.Name)}  # fmt: skip


def _named(source: Source, node: ast.For, names: Mapping[str, object]) -> Iterator[Edit]:
    """Return the edits that put a round's values in the place of the loop's names."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.JoinedStr):
            yield source.start(one), source.end(one), _said(one, names)
        elif isinstance(one, ast.Name) and one.id in names:
            yield source.start(one), source.end(one), literal(names[one.id])
        else:
            waiting += ast.iter_child_nodes(one)


def _said(node: ast.JoinedStr, names: Mapping[str, object]) -> str:
    """Return an f-string with the values in it; it stays one where it holds more than they are."""
    out, rest = "", False
    for one in node.values:
        if isinstance(one, ast.Constant):
            out += str(one.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(one, ast.FormattedValue):
            plain = one.conversion == -1 and one.format_spec is None
            if plain and isinstance(one.value, ast.Name) and one.value.id in names:
                out += str(names[one.value.id]).replace("{", "{{").replace("}", "}}")
            else:
                rest = True
                out += "{" + ast.unparse(_Put(names).visit(copy.deepcopy(one.value))) + "}"
    return "f" + literal(out) if rest else literal(out.replace("{{", "{").replace("}}", "}"))


class _Put(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put the value in the place of the name."""
        return ast.Constant(self._names[node.id]) if node.id in self._names else node


def literal(value: object) -> str:
    """Return a value as source, a string in double quotes where that needs no escape."""
    said = repr(value)
    plain = isinstance(value, str) and '"' not in value and "\\" not in said and said[0] == "'"
    return f'"{said[1:-1]}"' if plain else said
