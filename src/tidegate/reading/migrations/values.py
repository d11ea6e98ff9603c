"""Values of Python expressions, as far as the file alone tells them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from tidegate.model.operation import Span
from tidegate.reading.migrations.kinds import Call, Ref, Unknown, is_known, is_made
from tidegate.reading.migrations.plaincalls import LIMIT, plain_call, text_method

LIBRARIES = {*sys.stdlib_module_names, "alembic", "django", "op", "sa", "sqlalchemy"}
ENOUGH = 20_000  # statements that are followed in one file
Load = Callable[[str], "Scope | None"]


LOGIC = (ast.BitAnd, ast.BitOr, ast.BitXor)  # of conditions


class Scope:
    """Names in force: what was imported, assigned and defined.

    A method of a class is a function called `Class.method`. `load` returns the scope of another
    module of the project, and `left` is what is left to follow before the reader gives up.
    """

    __slots__ = ("active", "depth", "functions", "left", "load", "makes", "names", "outer")

    def __init__(self, outer: Scope | None = None) -> None:
        self.names: dict[str, Any] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.outer = outer
        self.depth: int = outer.depth if outer is not None else 0
        self.active: tuple[Any, ...] = outer.active if outer is not None else ()
        self.makes: bool = outer.makes if outer is not None else True  # calls are followed here
        self.load: Load | None = outer.load if outer is not None else None
        self.left: list[int] = outer.left if outer is not None else [ENOUGH]

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


def module_scope(tree: ast.Module, load: Load | None = None) -> Scope:
    """Return the scope of a module: imports, constants, functions; nothing is run."""
    scope = Scope()
    scope.load = load
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
    elif isinstance(statement, ast.ClassDef):
        for inner in statement.body:
            if isinstance(inner, ast.FunctionDef):
                scope.functions[f"{statement.name}.{inner.name}"] = inner
            elif isinstance(inner, ast.Assign) and "__tablename__" in ast.dump(inner.targets[0]):
                scope.names[statement.name] = Ref(f"table({evaluate(inner.value, scope)})")
    elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Lambda):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                scope.functions[target.id] = as_function(statement.value, target.id)
    elif isinstance(statement, ast.Assign):
        value = evaluate(statement.value, scope)
        for target in statement.targets:
            bind(target, value, scope)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        bind(statement.target, evaluate(statement.value, scope), scope)
    elif isinstance(statement, ast.Try | ast.If):
        for inner in statement.body:
            declare(inner, scope)


def as_function(node: ast.Lambda, name: str) -> ast.FunctionDef:
    """Return a lambda as the function that it is."""
    body = ast.copy_location(ast.Return(node.body), node.body)
    made = ast.FunctionDef(name, node.args, [body], [], None, None)
    return ast.copy_location(made, node)


def bind(target: ast.expr, value: Any, scope: Scope) -> None:
    """Bind a name, or several."""
    if isinstance(target, ast.Name):
        scope.names[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        items = value if isinstance(value, list | tuple) and not is_made(value) else None
        fits = items is not None and len(items) == len(target.elts)
        for index, inner in enumerate(target.elts):
            bind(inner, items[index] if fits and items else Unknown("unpacked"), scope)


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
        done = plain_call(name, args, kwargs)
        return Call(name, tuple(args), kwargs, span(node)) if done is None else done
    if isinstance(node.func, ast.Attribute):
        receiver = evaluate(node.func.value, scope) if receiver is None else receiver
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
    return Unknown("a condition")


def _lambda(node: ast.Lambda, scope: Scope) -> Any:
    made = Call("lambda", (), {}, span(node))
    name = f"lambda {made.span.line}:{made.span.column}"
    scope.functions[name] = as_function(node, name)
    return made


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
