"""Values of Python expressions, as far as the file alone tells them."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.reading.migrations.choices import ALL, by_dialect, over
from tidegate.reading.migrations.kinds import (
    Call,
    Choice,
    Instance,
    Ref,
    Unknown,
    is_known,
    is_made,
)
from tidegate.reading.migrations.plaincalls import LIMIT, plain_call, text_method
from tidegate.reading.migrations.scopes import LIBRARIES, Scope, as_function, bind, span

FOLLOWED = {ast.Call, ast.Compare, ast.NamedExpr, ast.ListComp, ast.SetComp, ast.GeneratorExp,
            ast.DictComp}  # fmt: skip
LOGIC = (ast.BitAnd, ast.BitOr, ast.BitXor)  # of conditions


def evaluate(node: ast.expr, scope: Scope) -> Any:
    """Return the value of an expression; never raises."""
    kind = type(node)
    if kind is ast.Constant:
        return node.value  # type: ignore[attr-defined]
    if scope.follower is not None and kind in FOLLOWED:
        return scope.follower(node, scope)
    handler = _KINDS.get(kind)
    return handler(node, scope) if handler else Unknown(kind.__name__)


def evaluates(node: ast.expr) -> bool:
    """Whether the parts of such an expression are looked at for its value."""
    return type(node) is ast.Constant or type(node) in _KINDS


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
    return applied(node, args, kwargs, scope)


def applied(
    node: ast.Call, args: list[Any], kwargs: dict[str, Any], scope: Scope, receiver: Any = None
) -> Any:
    """Return what a call gives for arguments that are known, and for what it is called on."""
    name = dotted(node.func, scope)
    own = scope.function(node.func.id) if isinstance(node.func, ast.Name) else None
    if scope.makes and (own is not None or (scope.load is not None and is_projects(name))):
        made = _made_by(own, name, args, kwargs, scope)
        if made is not None and not isinstance(made, Unknown):
            return made
    if name:
        done = over(args, lambda given: plain_call(name, given, kwargs))
        plain = done is not None and (
            not isinstance(done, Choice) or done.options[0][1] is not None
        )
        return done if plain else Call(name, tuple(args), kwargs, span(node))
    if isinstance(node.func, ast.Attribute):
        receiver = evaluate(node.func.value, scope) if receiver is None else receiver
        if isinstance(receiver, dict) and node.func.attr == "get" and args:
            chosen = by_dialect(receiver, *args[:2])
            if chosen is not None:
                return chosen
        text = text_method(receiver, node.func.attr, args, kwargs)
        if text is not None:
            return text
        return Call(node.func.attr, tuple(args), kwargs, span(node), receiver)
    return Call("", tuple(args), kwargs, span(node))


def is_projects(name: str) -> bool:
    """Whether a full name may be that of a function of the project."""
    root, _, rest = name.partition(".")
    return rest.rpartition(".")[2][:1].islower() and root not in LIBRARIES


def _made_by(
    own: ast.FunctionDef | None, name: str, args: list[Any], kwargs: dict[str, Any], scope: Scope
) -> Any:
    """Return what a function of the file or the project makes of its arguments."""
    from tidegate.reading.migrations.making import result
    from tidegate.reading.migrations.modules import imported

    found = imported(name, scope) if own is None else (own, scope)
    return None if found is None else result(found[0], args, kwargs, found[1])


def _name(node: ast.Name, scope: Scope) -> Any:
    return scope.get(node.id)


def _attribute(node: ast.Attribute, scope: Scope) -> Any:
    name = dotted(node, scope)
    if name:
        return Ref(name)
    receiver = evaluate(node.value, scope)
    if isinstance(receiver, Instance):
        return receiver.given.get(node.attr, Ref(f"{receiver.name}.{node.attr}"))
    if isinstance(receiver, Call):
        first = receiver.args[0] if receiver.args else None
        named = receiver.last in ("table", "Table") and isinstance(first, str)
        return Ref(f"table({first}).{node.attr}" if named else f"{receiver.name}().{node.attr}")
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
    parts: list[Any] = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            parts.append(evaluate(part.value, scope))
        else:
            parts.append(evaluate(part, scope))
    return over(parts, _text)


def _text(parts: list[Any]) -> Any:
    plain = [isinstance(one, str | int | float) and not isinstance(one, bool) for one in parts]
    words = (str(one) if good else "{}" for one, good in zip(parts, plain, strict=True))
    text = "".join(words)[:LIMIT]
    return text if all(plain) else Unknown("an f-string over data", text)


def _binary(node: ast.BinOp, scope: Scope) -> Any:
    both = (evaluate(node.left, scope), evaluate(node.right, scope))
    return over(both, lambda values: _of_two(node, *values))


def _of_two(node: ast.BinOp, left: Any, right: Any) -> Any:
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
    if isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int):
        return left * right if len(left) * abs(right) < LIMIT else Unknown("expression")
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
    from tidegate.reading.migrations.branches import decide

    answer = decide(node.test, scope, evaluate)
    if isinstance(answer, bool):
        return evaluate(node.body if answer else node.orelse, scope)
    if isinstance(answer, tuple):
        rest = tuple(one for one in ALL if one not in answer)
        one, other = evaluate(node.body, scope), evaluate(node.orelse, scope)
        return Choice(((answer, one), (rest, other)))
    for branch in (node.body, node.orelse):
        evaluate(branch, scope)
    return Unknown("a condition")


def _lambda(node: ast.Lambda, scope: Scope) -> Any:
    place = span(node)
    name = scope.make(
        f"lambda {place.line}:{place.column}", as_function(node, f"lambda {place.line}")
    )
    return Call("lambda", (name,), {}, place)


def _subscript(node: ast.Subscript, scope: Scope) -> Any:
    value, key = evaluate(node.value, scope), evaluate(node.slice, scope)
    if isinstance(value, dict):
        chosen = by_dialect(value, key, Unknown("it is not in the dictionary"))
        if chosen is not None:
            return chosen
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
