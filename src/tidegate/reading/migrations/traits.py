"""What the Python code of a data migration shows of itself."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.model.operation import Trait
from tidegate.reading.migrations.branches import ALL
from tidegate.reading.migrations.expressions import LOOPS
from tidegate.reading.migrations.following import Follower
from tidegate.reading.migrations.kinds import Call, Ref, Unknown
from tidegate.reading.migrations.orm import (
    FILTERS,
    MAKES,
    MANAGERS,
    ONE,
    SAME,
    SCHEMA,
    THROUGH,
    Model,
    is_given,
    model_name,
    named_by,
    reaches_out,
    starred,
)
from tidegate.reading.migrations.rows import (
    CHANGES,
    Loop,
    Loops,
    Row,
    Rows,
    queried,
    selected,
)
from tidegate.reading.migrations.scopes import Scope, bind
from tidegate.reading.migrations.values import applied, dotted, evaluate, is_projects


def traits_of(function: ast.FunctionDef, scope: Scope) -> tuple[Trait, ...]:
    """Return what the function does that a rule may mind."""
    scope = Scope(scope)
    scope.makes = False  # this reader follows calls itself
    code = CodeFollower(scope)
    names = [one.arg for one in function.args.args]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    words: dict[str, Any] = dict(zip(names, (Ref("apps"), Ref("schema_editor")), strict=False))
    if "schema_editor" in names:  # a method of an operation gets it as its second
        words = {"schema_editor": Ref("schema_editor"), "apps": Ref("apps")}
    code.follow(function, (), words, scope)
    if not scope.left[0]:
        code.say("unread", "it is too long to be followed", function)
    return code.loops.said()


class CodeFollower(Follower):
    """Follows the function of a RunPython and notes what it does."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.loops = Loops()
        self.cursors: dict[str, Rows] = {}
        self.slices = 0  # loops around that may go over a table part by part

    def say(self, what: str, detail: str, node: Any) -> None:
        """Note a trait, once for each thing."""
        vendors = self.vendors if self.vendors != ALL else ()
        self.loops.traits.append(Trait(what, detail, self.place(node), "", vendors))

    # loops over rows

    def rows(self, items: Any, node: ast.expr, scope: Scope) -> Any:
        """Return a row of a query."""
        found = self._several(items)
        if found is None and isinstance(node, ast.Name):
            found = self.cursors.get(node.id)
        if found is None:
            return None
        return Row(found.name, not found.few or (found.slice and self.slices > 0), found.own)

    def _several(self, items: Any) -> Rows | None:
        if isinstance(items, Rows):
            return items
        if isinstance(items, Call) and items.last in THROUGH and items.args:
            return self._several(items.args[0])
        return queried(items)

    def shown(self) -> int:
        """Return how many things were said."""
        return len(set(self.loops.traits))

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

    def _if(self, node: ast.If, scope: Scope) -> None:
        if not isinstance(node.test, ast.Call | ast.Compare | ast.BoolOp | ast.UnaryOp):
            self.value(node.test, scope)
        super()._if(node, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        self.slices += 1
        super()._while(node, scope)
        self.slices -= 1

    def grown(self, items: list[Any]) -> Any:
        """A list that gets each row of a loop holds them all."""
        last = items[-1]
        if not isinstance(last, Row) or not last.each:
            return items
        loop = self.loops.around(last)
        return Rows(last.name, own=last.own and loop is not None and self.maybe <= loop.maybe)

    def several(self, made: Any) -> Any:
        """Return the rows that a comprehension gathers."""
        each = isinstance(made, Row) and made.each
        return Rows(made.name, own=made.own) if each else super().several(made)

    def stored(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """What stands in the target is looked at; the row is written when it is saved."""
        if isinstance(target, ast.Attribute | ast.Subscript):
            row = self.value(target.value, scope)
            if (
                isinstance(row, Row)
                and getattr(target, "attr", "") in ("pk", "id")
                and value is None
            ):
                bind(target.value, Unknown("a new row"), scope)

    # expressions

    def value(self, node: ast.expr, scope: Scope, alone: bool = False) -> Any:
        """Return an expression's value, with models, queries and rows among them."""
        if isinstance(node, ast.Attribute):
            return self._attribute(node, scope)
        if isinstance(node, ast.Subscript):
            return self._part(node, scope)
        if isinstance(node, (ast.Call, ast.Compare, ast.NamedExpr, *LOOPS)):
            return super().value(node, scope, alone)
        if isinstance(node, ast.List | ast.Tuple | ast.Set) and not starred(node):
            return [self.value(one, scope) for one in node.elts]
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.expr) and not isinstance(node, ast.Lambda):
                self.value(inner, scope)
        return evaluate(node, scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        base = self.value(node.value, scope)
        if isinstance(base, Call) and base.last == "get_model":
            base = Model(model_name(list(base.args)))
        if isinstance(base, Model):
            if node.attr in MANAGERS and base.today:
                self.say("imported-model", base.today, node)
            return Rows(base.name, own=True) if node.attr in MANAGERS else Unknown("a model's")
        if isinstance(base, Rows | Row):
            return Unknown("a row's value")
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

    def foreign(self, node: ast.Call, scope: Scope, alone: bool) -> Any:
        """Return what a call gives, and note what it does."""
        func = node.func
        args = [self.value(one, scope) for one in node.args]
        words = {one.arg or "**": self.value(one.value, scope) for one in node.keywords}
        base = None
        if isinstance(func, ast.Attribute):
            if func.attr == "get_model":
                return Model(model_name(args))
            base = self.value(func.value, scope)
            found = self._method(base, func, node, args, scope)
            if found is not None:
                return found
        first = self._several(args[0]) if args else None
        if first is not None and isinstance(func, ast.Name) and func.id in THROUGH:
            return first
        if dotted(func, scope).endswith(".get_user_model"):
            return Model("the user model", "get_user_model()")
        self._other(node, args, scope)
        return applied(node, args, words, scope, base)

    def _method(
        self, base: Any, func: ast.Attribute, node: ast.Call, args: list[Any], scope: Scope
    ) -> Any:
        name = func.attr
        if isinstance(base, Rows):
            return self._of_rows(base, name, node, args)
        if isinstance(base, Row) or (name == "save" and not isinstance(base, Ref)):
            return self._of_row(base, func, node)
        if name in ("execute", "executemany") and args:
            return self._executed(func, node, args[0])
        if name in ("fetchall", "fetchmany", "fetchone") and isinstance(func.value, ast.Name):
            found = self.cursors.get(func.value.id)
            return Row(found.name) if found is not None and name == "fetchone" else found
        if name in SCHEMA and isinstance(base, Ref) and base.last == "schema_editor":
            self.say("unread", f"schema_editor.{name}() changes the schema from Python", node)
        return None

    def _of_rows(self, base: Rows, name: str, node: ast.Call, args: list[Any]) -> Any:
        if name in SAME:
            return base
        if name in FILTERS:
            one = name == "filter" and any(word.arg in ("pk", "id") for word in node.keywords)
            few = base.few or one
            return Rows(base.name, few, slice=base.slice)
        if name in ("none", "distinct", "in_bulk", "dates", "datetimes"):
            return Rows(base.name, few=True)
        if name in ("update", "delete"):
            if base.own and not base.few:
                self.say("whole-" + name, base.name, node)
            elif not self._in_loop(base):
                self.say("write", base.name, node)
        elif name == "bulk_update":
            self._bulk(base, args, node)
        elif name in MAKES:
            self.say("write", base.name, node)
        return Row(base.name) if name in ONE else Unknown("a query's value")

    def _bulk(self, base: Rows, args: list[Any], node: ast.Call) -> None:
        given = self._several(args[0]) if args else None
        many = given is not None and (not given.few or (given.slice and self.slices > 0))
        if many and self.slices:
            self.say("loop-bulk", base.name, node)
        elif many and given is not None and given.own:
            self.say("whole-bulk_update", base.name, node)
        else:
            self.say("write", base.name, node)

    def _of_row(self, base: Any, func: ast.Attribute, node: ast.Call) -> Any:
        if func.attr in ("save", "delete"):
            loop = self.loops.around()
            old = isinstance(base, Row)
            if not old or loop is None or not self._in_loop(base):
                name = base.name if isinstance(base, Row) else named_by(func.value)
                self.say("write", name, node)
        return Unknown("a row's value")

    def _in_loop(self, one: Any) -> bool:
        if not self.loops.write(one, self.vendors):
            return False
        if not isinstance(one, Row) or not one.each:
            self.loops.traits.append(Trait("write", one.name, self.loops.traits[-1].span))
        return True

    def _executed(self, func: ast.Attribute, node: ast.Call, value: Any) -> Any:
        text = value if isinstance(value, str) else getattr(value, "known", "")
        if isinstance(value, str):
            self.say("sql", value, node)
        elif isinstance(value, Unknown):
            self.say("dynamic-sql", value.why, node)
        elif isinstance(value, Call):
            self.say("dynamic-sql", f"{value.name or 'a call'}() makes it", node)
        if CHANGES.match(text) and func.attr == "execute":
            self.loops.write(None, self.vendors)
        found = selected(text)
        if isinstance(func.value, ast.Name):
            if found is not None:
                self.cursors[func.value.id] = found
            else:
                self.cursors.pop(func.value.id, None)
        return found

    def _other(self, node: ast.Call, args: list[Any], scope: Scope) -> None:
        name = dotted(node.func, scope)
        if name == "open":
            mode = evaluate(node.args[1], scope) if len(node.args) > 1 else "r"
            self.say("outside", f"open({'…' if node.args else ''}, {mode!r})", node)
        elif reaches_out(name):
            self.say("outside", ast.unparse(node.func), node)
        elif name.endswith(".call_command"):
            self.say("unread", "call_command() runs a command of the project", node)
        elif is_projects(name) and any(is_given(one) for one in args):
            self.say("elsewhere", name, node)
