"""Values of Python expressions, as far as the file alone tells them."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from tidegate.model.operation import Span

LIMIT = 20_000  # characters of a string that is put together


LOGIC = (ast.BitAnd, ast.BitOr, ast.BitXor)  # of conditions


class Call(NamedTuple):
    """A call of something that is not run here. `receiver` is what a method was called on."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    span: Span
    receiver: Any = None

    @property
    def last(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


class Ref(NamedTuple):
    """A name that stands for something outside of this file."""

    name: str

    @property
    def last(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


class Unknown(NamedTuple):
    """A value that can't be told; `why` says what stands in the way."""

    why: str
    known: str = ""  # the part of a text that could be read, holes as {}


class Scope:
    """Names in force: what was imported, assigned and defined."""

    __slots__ = ("functions", "names", "outer")

    def __init__(self, outer: Scope | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.outer = outer

    def get(self, name: str) -> Any:
        """Return the value of a name; a Ref of itself where nothing is known."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return Ref(name)

    def function(self, name: str) -> ast.FunctionDef | None:
        """Return the function of that name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name]
            scope = scope.outer
        return None


def span(node: Any) -> Span:
    """Return where a node stands."""
    return Span(
        node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or 0) + 1
    )


def module_scope(tree: ast.Module) -> Scope:
    """Return the scope of a module: imports, constants, functions; nothing is run."""
    scope = Scope()
    for statement in tree.body:
        declare(statement, scope)
    return scope


def declare(statement: ast.stmt, scope: Scope) -> None:
    """Take one statement's names into `scope`."""
    if isinstance(statement, ast.Import):
        for one in statement.names:
            if one.asname:
                scope.names[one.asname] = Ref(one.name)
            else:
                top = one.name.partition(".")[0]
                scope.names[top] = Ref(top)
    elif isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        for one in statement.names:
            scope.names[one.asname or one.name] = Ref(f"{module}.{one.name}")
    elif isinstance(statement, ast.FunctionDef):
        scope.functions[statement.name] = statement
    elif isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Lambda):
        value = evaluate(statement.value, scope)
        for target in statement.targets:
            bind(target, value, scope)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        bind(statement.target, evaluate(statement.value, scope), scope)
    elif isinstance(statement, ast.Try | ast.If):
        for inner in statement.body:
            declare(inner, scope)


def bind(target: ast.expr, value: Any, scope: Scope) -> None:
    """Bind a name, or several."""
    if isinstance(target, ast.Name):
        scope.names[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        items = value if isinstance(value, list | tuple) and not is_made(value) else None
        fits = items is not None and len(items) == len(target.elts)
        for index, inner in enumerate(target.elts):
            bind(inner, items[index] if fits and items else Unknown("unpacked"), scope)


def is_made(value: Any) -> bool:
    """Whether it is one of this module's own tuples rather than a plain value."""
    return isinstance(value, Call | Ref | Unknown)


def is_known(value: Any) -> bool:
    """Whether nothing in a plain value is unknown."""
    if isinstance(value, list | tuple) and not is_made(value):
        return all(is_known(one) for one in value)
    if isinstance(value, dict):
        return all(is_known(one) for one in value.values())
    return not is_made(value)


def evaluate(node: ast.expr, scope: Scope) -> Any:
    """Return the value of an expression; never raises."""
    kind = type(node)
    if kind is ast.Constant:
        return node.value  # type: ignore[attr-defined]
    handler = _KINDS.get(kind)
    return handler(node, scope) if handler else Unknown(kind.__name__)


def dotted(node: ast.expr, scope: Scope) -> str:
    """Return the full name of an attribute chain, "" where it is none."""
    if isinstance(node, ast.Name):
        value = scope.get(node.id)
        return value.name if isinstance(value, Ref) else ""
    if isinstance(node, ast.Attribute):
        before = dotted(node.value, scope)
        return f"{before}.{node.attr}" if before else ""
    return ""


def call(node: ast.Call, scope: Scope) -> Any:
    """Return a Call, or the result where it is one of the few that are plain text work."""
    args = _spread(node.args, scope, "*args")
    kwargs: dict[str, Any] = {}
    for word in node.keywords:
        value = evaluate(word.value, scope)
        if word.arg is not None:
            kwargs[word.arg] = value
        elif isinstance(value, dict):
            kwargs.update({str(key): inner for key, inner in value.items()})
        else:
            kwargs["**"] = value
    name = dotted(node.func, scope)
    if name:
        return _plain(name, args, kwargs) or Call(name, tuple(args), kwargs, span(node))
    if isinstance(node.func, ast.Attribute):
        receiver = evaluate(node.func.value, scope)
        text = _text_method(receiver, node.func.attr, args, kwargs)
        if text is not None:
            return text
        return Call(node.func.attr, tuple(args), kwargs, span(node), receiver)
    return Call("", tuple(args), kwargs, span(node))


def _plain(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    first = args[0] if args else None
    if name in ("textwrap.dedent", "inspect.cleandoc", "dedent") and isinstance(first, str):
        import textwrap

        return textwrap.dedent(first)
    if name in ("list", "tuple", "sorted") and len(args) == 1 and isinstance(first, list | tuple):
        return None if is_made(first) else list(first)
    if name == "str" and len(args) == 1 and is_known(first):
        return str(first)
    if name == "dict" and not args:
        return dict(kwargs)
    if name == "range" and args and all(isinstance(one, int) for one in args):
        return list(range(*args[:3]))[:500]
    return None


def _text_method(receiver: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if isinstance(receiver, dict) and name == "items":
        return [(key, value) for key, value in receiver.items()]
    if isinstance(receiver, dict) and name in ("keys", "values"):
        return list(getattr(receiver, name)())
    if not isinstance(receiver, str):
        return None
    if name in ("strip", "lstrip", "rstrip", "lower", "upper", "replace", "title"):
        return getattr(receiver, name)(*args) if is_known(args) else Unknown("text method")
    if name == "format":
        if is_known(args) and is_known(kwargs):
            try:
                return receiver.format(*args, **kwargs)[:LIMIT]
            except (IndexError, KeyError, ValueError):
                return Unknown("format")
        return Unknown("a text put together from data", receiver)
    if name == "join" and args and is_known(args[0]) and isinstance(args[0], list | tuple):
        return receiver.join(map(str, args[0]))[:LIMIT]
    return None


def _name(node: ast.Name, scope: Scope) -> Any:
    return scope.get(node.id)


def _attribute(node: ast.Attribute, scope: Scope) -> Any:
    name = dotted(node, scope)
    if name:
        return Ref(name)
    receiver = evaluate(node.value, scope)
    if isinstance(receiver, Call):
        return Ref(f"{receiver.name}().{node.attr}")
    if isinstance(receiver, Ref):
        return Ref(f"{receiver.name}.{node.attr}")
    return Unknown("attribute")


def _list(node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Any:
    out = _spread(node.elts, scope, "a list that another file or a function makes")
    return out if isinstance(node, ast.List) else tuple(out)


def _spread(nodes: list[ast.expr], scope: Scope, otherwise: str) -> list[Any]:
    """Return the values of nodes, with a starred list in its place; `otherwise` where unknown."""
    out: list[Any] = []
    for one in nodes:
        if not isinstance(one, ast.Starred):
            out.append(evaluate(one, scope))
            continue
        inner = evaluate(one.value, scope)
        if isinstance(inner, list | tuple) and not is_made(inner):
            out.extend(inner)
        else:
            out.append(Unknown(otherwise))
    return out


def _dict(node: ast.Dict, scope: Scope) -> Any:
    out: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        inner = evaluate(value, scope)
        if key is None:
            if not isinstance(inner, dict):
                return Unknown("dictionary")
            out.update(inner)
            continue
        name = evaluate(key, scope)
        try:
            out[name] = inner
        except TypeError:
            return Unknown("dictionary")
    return out


def _joined(node: ast.JoinedStr, scope: Scope) -> Any:
    out, good = "", True
    for part in node.values:
        if isinstance(part, ast.Constant):
            out += str(part.value)
            continue
        value = evaluate(part.value, scope) if isinstance(part, ast.FormattedValue) else None
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            out += str(value)
        else:
            good = False
            out += "{}"
    return out[:LIMIT] if good else Unknown("an f-string over data", out[:LIMIT])


def _binary(node: ast.BinOp, scope: Scope) -> Any:
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if isinstance(left, Call) and isinstance(right, Call) and isinstance(node.op, LOGIC):
        return Call("&", (left, right), {}, left.span)
    if isinstance(node.op, ast.Add):
        if isinstance(left, str) and isinstance(right, str):
            return (left + right)[:LIMIT]
        if isinstance(left, int | float) and isinstance(right, int | float):
            return left + right
        plain = isinstance(left, list | tuple) and isinstance(right, list | tuple)
        if plain and not is_made(left) and not is_made(right):
            return [*left, *right]
        if isinstance(left, list) and is_made(right):
            return [*left, right]
        if isinstance(right, list) and is_made(left):
            return [left, *right]
        known = "".join(
            one if isinstance(one, str) else one.known if isinstance(one, Unknown) else "{}"
            for one in (left, right)
        )
        return Unknown("a text put together from data", known)
    if isinstance(node.op, ast.Mod) and isinstance(left, str):
        if is_known(right):
            try:
                return (left % right)[:LIMIT]
            except (TypeError, ValueError, KeyError):
                return Unknown("format")
        return Unknown("a text put together from data", left)
    if isinstance(node.op, ast.Mult) and isinstance(left, int | str) and isinstance(right, int):
        return left * right if abs(right) < LIMIT else Unknown("expression")
    return Unknown("expression")


def _unary(node: ast.UnaryOp, scope: Scope) -> Any:
    value = evaluate(node.operand, scope)
    if isinstance(node.op, ast.USub) and isinstance(value, int | float):
        return -value
    if isinstance(node.op, ast.Not) and is_known(value):
        return not value
    if isinstance(node.op, ast.Invert) and isinstance(value, Call):
        return Call("~", (value,), {}, value.span)
    return Unknown("expression")


def _conditional(node: ast.IfExp, scope: Scope) -> Any:
    return Unknown("a condition")


def _lambda(node: ast.Lambda, scope: Scope) -> Any:
    return Call("lambda", (), {}, span(node))


def _subscript(node: ast.Subscript, scope: Scope) -> Any:
    value, key = evaluate(node.value, scope), evaluate(node.slice, scope)
    if isinstance(value, dict | list | tuple) and not is_made(value) and not is_made(key):
        try:
            return value[key]
        except (KeyError, IndexError, TypeError):
            return Unknown("subscript")
    return Unknown("subscript")


def _comprehension(node: ast.ListComp | ast.GeneratorExp, scope: Scope) -> Any:
    if len(node.generators) == 1 and not node.generators[0].ifs:
        loop = node.generators[0]
        items = evaluate(loop.iter, scope)
        if isinstance(items, list | tuple) and not is_made(items) and len(items) <= 200:
            out = []
            for item in items:
                inner = Scope(scope)
                bind(loop.target, item, inner)
                out.append(evaluate(node.elt, inner))
            return out
    return Unknown("a list that is computed")


_KINDS: dict[type, Any] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: call,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.JoinedStr: _joined,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.IfExp: _conditional,
    ast.Lambda: _lambda,
    ast.Subscript: _subscript,
    ast.ListComp: _comprehension,
    ast.GeneratorExp: _comprehension,
}
