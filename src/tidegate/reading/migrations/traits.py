"""What the Python code of a data migration shows of itself."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from tidegate.model.operation import Trait
from tidegate.reading.migrations.kinds import Call, Ref, Unknown
from tidegate.reading.migrations.orm import (
    MANAGERS,
    PARTS,
    THROUGH,
    Model,
    Related,
    is_given,
    model_name,
    reaches_out,
    starred,
)
from tidegate.reading.migrations.ormcalls import OrmFollower
from tidegate.reading.migrations.rows import Batches, Row, Rows
from tidegate.reading.migrations.scopes import LIBRARIES, Made, Scope
from tidegate.reading.migrations.values import applied, dotted, evaluate


def traits_of(made: Made, scope: Scope) -> tuple[Trait, ...]:
    """Return what a function does that a rule may mind."""
    scope = scope.inside(made.home)
    scope.makes = False  # this reader follows calls itself
    code = CodeFollower(scope)
    names = [one.arg for one in made.node.args.args][len(made.args) :]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    words: dict[str, Any] = dict(zip(names, (Ref("apps"), Ref("schema_editor")), strict=False))
    if "schema_editor" in names:  # a method of an operation gets it as its second
        words = {"schema_editor": Ref("schema_editor"), "apps": Ref("apps")}
    code.follow(made.node, made.args, {**words, **made.words}, scope)
    if not scope.left[0]:
        code.say("unread", "it is too long to be followed", made.node)
    return code.loops.said()


class CodeFollower(OrmFollower):
    """Follows the function of a RunPython and notes what it does."""

    def shown(self) -> int:
        """Return how many things were said."""
        return len(set(self.loops.traits))

    def _if(self, node: ast.If, scope: Scope) -> None:
        if not isinstance(node.test, ast.Call | ast.Compare | ast.BoolOp | ast.UnaryOp):
            self.value(node.test, scope)
        super()._if(node, scope)

    # expressions

    def value(self, node: ast.expr, scope: Scope, alone: bool = False) -> Any:
        """Return an expression's value, with models, queries and rows among them."""
        if isinstance(node, ast.Attribute):
            return self._attribute(node, scope)
        if isinstance(node, ast.Subscript):
            return self._part(node, scope)
        if isinstance(node, ast.List | ast.Tuple | ast.Set) and not starred(node):
            return [self.value(one, scope) for one in node.elts]
        return super().value(node, scope, alone)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        base = self.value(node.value, scope)
        if isinstance(base, Call) and base.last == "get_model":
            base = Model(model_name(list(base.args)))
        if isinstance(base, Model):
            if node.attr in MANAGERS and base.today:
                self.say("imported-model", base.today, node)
            return Rows(base.name, own=True) if node.attr in MANAGERS else Unknown("a model's")
        if isinstance(base, Rows):
            if node.attr in ("update", "delete", "bulk_update"):  # it is not called here
                self.say("unread", f"{ast.unparse(node)} is called by another name", node)
            return base if node.attr == "object_list" else Unknown("a row's value")
        if isinstance(base, Row):
            return Related(node.attr)
        if node.attr in ("objects", "_default_manager") and isinstance(base, Ref):
            self._imported(base, node)
            return Rows(base.last, own=True)
        return evaluate(node, scope)

    def _imported(self, base: Ref, node: ast.Attribute) -> None:
        parts = base.name.split(".")
        known = base.name.startswith(("django.db.", "django.contrib.gis.db"))
        if "models" in parts[:-1] and not known:
            self.say("imported-model", base.name, node)

    def _part(self, node: ast.Subscript, scope: Scope) -> Any:
        base = self.value(node.value, scope)
        if not isinstance(base, Rows):
            self.value(node.slice, scope)
            return evaluate(node, scope)
        if isinstance(node.slice, ast.Slice):
            bounds = (node.slice.lower, node.slice.upper)
            fixed = all(one is None or isinstance(one, ast.Constant) for one in bounds)
            return Rows(base.name, few=True, slice=not fixed or not base.few)
        return Row(base.name)

    # calls

    def foreign(self, node: ast.Call, scope: Scope, alone: bool, base: Any) -> Any:
        """Return what a call gives, and note what it does."""
        func = node.func
        args, words = self.arguments(node, scope)
        if isinstance(func, ast.Attribute):
            if func.attr == "get_model":
                return Model(model_name([*args, *words.values()]))
            found = self.method(base, func, node, args, scope)
            if found is not None:
                return found
        through = self._through(func, args)
        if through is not None:
            return through
        if dotted(func, scope).endswith(".get_user_model"):
            return Model("the user model", "get_user_model()")
        if not self.handed_on(args, words, node, scope):
            self._other(node, [*args, *words.values()], scope)
        return applied(node, args, words, scope, base)

    def _through(self, func: ast.expr, args: list[Any]) -> Any:
        """Return the rows that a function gives on; None where it gives something else."""
        name = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
        if args and isinstance(args[0], Batches) and name in THROUGH:
            return args[0]
        several = args if name in ("chain", "zip") else args[:1]
        first = next((one for one in map(self.found, several) if one is not None), None)
        if first is None:
            return None
        if name in PARTS:
            return Batches(Rows(first.name, True, slice=True))
        if name == "islice":
            return Rows(first.name, True, slice=True)
        return first if name in THROUGH else None

    def _other(self, node: ast.Call, args: list[Any], scope: Scope) -> None:
        name = dotted(node.func, scope)
        if name == "open":
            mode = evaluate(node.args[1], scope) if len(node.args) > 1 else "r"
            self.say("outside", f"open({'…' if node.args else ''}, {mode!r})", node)
        elif reaches_out(name):
            self.say("outside", ast.unparse(node.func), node)
        elif name.endswith(".call_command"):
            self.say("unread", "call_command() runs a command of the project", node)
        elif self._hands_over(name, args):
            self.say("elsewhere", name or ast.unparse(node.func), node)

    def _hands_over(self, name: str, args: list[Any]) -> bool:
        """Whether code that is not read here gets what it could change the database with."""
        root = name.partition(".")[0]
        if root in LIBRARIES or root in ("apps", "schema_editor") or hasattr(builtins, root):
            return False
        more = (Rows, Model) if "." in name else ()
        return any(is_given(one) or isinstance(one, more) for one in args)
