"""What methods of Django's models, queries and rows do, and what cursors are sent."""

from __future__ import annotations

import ast
from typing import Any

from tidegate.model.operation import Trait
from tidegate.reading.migrations.choices import ALL
from tidegate.reading.migrations.kinds import Call, Choice, Ref, Thing, Unknown
from tidegate.reading.migrations.looping import LoopFollower
from tidegate.reading.migrations.orm import (
    FILTERS,
    MAKES,
    NEXT,
    ONE,
    RELATED,
    SAME,
    SCHEMA,
    Related,
    named_by,
)
from tidegate.reading.migrations.rows import CHANGES, Batches, Row, Rows, selected
from tidegate.reading.migrations.scopes import Scope, bind


class OrmFollower(LoopFollower):
    """Notes what is asked of the ORM and of cursors."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.cursors: dict[str, Rows] = {}

    def say(self, what: str, detail: str, node: Any) -> None:
        """Note a trait, once for each thing."""
        vendors = self.vendors if self.vendors != ALL else ()
        self.loops.traits.append(Trait(what, detail, self.place(node), "", vendors))

    def rows(self, items: Any, node: ast.expr, scope: Scope) -> Any:
        """Return a row of a query; of a cursor, of what it was sent last."""
        if isinstance(node, ast.Name) and node.id in self.cursors and self.found(items) is None:
            items = self.cursors[node.id]
        return super().rows(items, node, scope)

    def grown(self, items: list[Any]) -> Any:
        """A list that gets each row of a loop holds them all."""
        last = items[-1]
        if not isinstance(last, Row) or not last.each:
            return items
        loop = self.loops.around(last)
        return Rows(last.name, own=last.own and loop is not None and self.maybe <= loop.maybe)

    def stored(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """What stands in the target is looked at; the row is written when it is saved."""
        if isinstance(target, ast.Subscript) and isinstance(value, Row) and value.each:
            self._gathered(target.value, Rows(value.name, own=False), scope)
        if isinstance(target, ast.Attribute | ast.Subscript):
            row = self.value(target.value, scope)
            if (
                isinstance(row, Row)
                and getattr(target, "attr", "") in ("pk", "id")
                and value is None
            ):
                bind(target.value, Unknown("a new row"), scope)

    def _gathered(self, holder: ast.expr, rows: Any, scope: Scope) -> None:
        """A dictionary that gets each row of a loop holds them all."""
        if isinstance(holder, ast.Name) and not isinstance(scope.get(holder.id), Thing):
            scope.names[holder.id] = rows

    def _in_groups(self, func: ast.Attribute, args: list[Any], scope: Scope) -> None:
        """Note `groups[key].append(row)` and `groups.setdefault(key, []).append(row)`."""
        row, holder = args[-1] if args else None, func.value
        if func.attr not in ("append", "add") or not isinstance(row, Row) or not row.each:
            return
        if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute):
            holder = holder.func if holder.func.attr == "setdefault" else holder
        if isinstance(holder, ast.Subscript | ast.Attribute):
            self._gathered(holder.value, Batches(Rows(row.name, True, slice=True)), scope)

    def method(
        self, base: Any, func: ast.Attribute, node: ast.Call, args: list[Any], scope: Scope
    ) -> Any:
        """Return what a method gives, and note what it does; None where it is none of these."""
        name = func.attr
        self._in_groups(func, args, scope)
        if isinstance(base, Rows):
            return self._of_rows(base, name, node, args)
        if isinstance(base, Batches):
            if name in ("items", "values"):
                return base
            return base.rows if name in ("page", "get_page", "__getitem__") else None
        if isinstance(base, Related) and (name in RELATED or base.name.endswith("_set")):
            related = Rows(base.name.removesuffix("_set"), few=True)
            return self._of_rows(related, name, node, args)
        if isinstance(base, Row) or (name == "save" and not isinstance(base, Ref)):
            return self._of_row(base, func, node)
        if name in ("execute", "executemany") and args:
            return self._executed(func, node, args)
        if name in ("fetchall", "fetchmany", "fetchone") and isinstance(func.value, ast.Name):
            found = self.cursors.get(func.value.id)
            return Row(found.name) if found is not None and name == "fetchone" else found
        if name in SCHEMA and isinstance(base, Ref) and base.last == "schema_editor":
            self.say("unread", f"schema_editor.{name}() changes the schema from Python", node)
        return None

    def _of_rows(self, base: Rows, name: str, node: ast.Call, args: list[Any]) -> Any:
        if name == "raw":
            found = selected(args[0]) if args and isinstance(args[0], str) else None
            return found.of(base.name) if found is not None else Rows(base.name)
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
        if name in ONE:
            return Row(base.name, next=self.turns > 0 and name in NEXT)
        return Unknown("a query's value")

    def _bulk(self, base: Rows, args: list[Any], node: ast.Call) -> None:
        given = self.found(args[0]) if args else None
        many = given is not None and (not given.few or (given.slice and self.slices > 0))
        if many and self.slices:
            self.say("loop-bulk", base.name, node)
        elif many and given is not None and given.own:
            self.say("whole-bulk_update", base.name, node)
        else:
            self.say("write", base.name, node)

    def _of_row(self, base: Any, func: ast.Attribute, node: ast.Call) -> Any:
        if func.attr in ("save", "delete"):
            loop, turn = self.loops.around(), self.loops.turn()
            if isinstance(base, Row) and base.next and turn is not None and loop is None:
                self.loops.traits.append(Trait("loop-save", base.name, turn.place))
                return Unknown("a row's value")
            old = isinstance(base, Row | Related)
            if not old or loop is None or not self._in_loop(base):
                name = base.name if old else named_by(func.value)
                self.say("write", name, node)
        return Unknown("a row's value")

    def _in_loop(self, one: Any) -> bool:
        if not self.loops.write(one, self.vendors):
            return False
        if not isinstance(one, Row) or not one.each:
            self.loops.traits.append(Trait("write", one.name, self.loops.traits[-1].span))
        return True

    def _executed(self, func: ast.Attribute, node: ast.Call, args: list[Any]) -> Any:
        value, before = args[0], self.vendors
        if isinstance(value, Choice):
            for vendors, one in value.options:
                self.vendors = tuple(o for o in vendors or ALL if not before or o in before)
                if self.vendors:
                    self._executed(func, node, [one, *args[1:]])
            self.vendors = before
            return Unknown("a condition")
        text = value if isinstance(value, str) else getattr(value, "known", "")
        if isinstance(value, str):
            self.say("sql", value, node)
        elif isinstance(value, Unknown):
            self.say("dynamic-sql", value.why, node)
        elif isinstance(value, Call):
            self.say("dynamic-sql", f"{value.name or 'a call'}() makes it", node)
        elif isinstance(value, Thing):
            self.say("dynamic-sql", "it is put together from rows", node)
        given = self.found(args[1]) if func.attr == "executemany" and len(args) > 1 else None
        if CHANGES.match(text):
            if given is not None and not given.few:
                self.say("loop-write", given.name, node)
            elif func.attr == "execute":
                self.loops.write(None, self.vendors)
        found = selected(text)
        if isinstance(func.value, ast.Name):
            if found is not None:
                self.cursors[func.value.id] = found
            else:
                self.cursors.pop(func.value.id, None)
        return found
