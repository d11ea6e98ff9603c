"""Data migrations that run in batches: what they set and where, out of SQL or Python."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from tidegate.reading.migrations.django_state import Model
from tidegate.workflows.staging.moments import At
from tidegate.workflows.staging.saying import constant, expression
from tidegate.workflows.staging.stage import Declined, literal, quoted

IMPORT = "from tidegate.backfill import backfill, forget"
UPDATE = re.compile(
    r"\s*UPDATE\s+(?:ONLY\s+)?([\w\".]+)\s+SET\s+(.*?)(?:\s+WHERE\s+(.*?))?\s*;?\s*", re.I | re.S
)
CHANGED = ("BinaryField", "FileField", "ImageField", "JSONField")  # Python has it in another form
TOUCHED = {"DateTimeField": "now()", "DateField": "CURRENT_DATE"}


class Batched(NamedTuple):
    """An UPDATE that goes over a table in batches."""

    table: str
    set: str
    where: str
    key: str

    def call(self, connection: str) -> str:
        """Return the call of backfill()."""
        words = [connection, literal(self.table), f"set={_one(self.set)}"]
        if self.where:
            words.append(f"where={_one(self.where)}")
        if self.key != "id":
            words.append(f"key={literal(self.key)}")
        line = f"backfill({', '.join(words)})"
        if len(line) <= 90:
            return line
        return "backfill(\n" + "".join(f"    {one},\n" for one in words) + ")"

    def forget(self, connection: str) -> str:
        """Return the call that lets it run anew, for the way back."""
        return f"forget({connection}, {literal(self.table)}, set={_one(self.set)})"


def _one(text: str) -> str:
    """Return SQL as one string literal: an argument over several lines reads badly."""
    return literal(text) if len(text) <= 80 else repr(" ".join(text.split()))


def of_sql(text: str, at: At) -> Batched:
    """Return what an UPDATE without a condition does. Declines for anything else."""
    found = UPDATE.fullmatch(text)
    if found is None or re.search(r"\b(FROM|RETURNING|WITH|SELECT)\b", text, re.I):
        raise Declined("only an UPDATE of one table by its own columns goes over into batches")
    table = found[1].replace('"', "")
    return Batched(table, " ".join(found[2].split()), found[3] or "", _key(at, table))


def _key(at: At, table: str) -> str:
    key = at.key(table)
    if not key:
        raise Declined(f"{table} has no primary key of one column to go over in batches")
    return key


def of_function(node: ast.FunctionDef, app: str, at: At) -> Batched:
    """Return what a RunPython function does to a model. Declines for what SQL can't say."""
    models: dict[str, Model] = {}
    rest = []
    for one in node.body:
        model = _got(one, app, at)
        if model is not None:
            models[model[0]] = model[1]
        elif not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            rest.append(one)
    if len(rest) != 1:
        raise Declined(f"{node.name}() does more than one thing")
    if isinstance(rest[0], ast.For):
        return _loop(rest[0], models, at)
    if isinstance(rest[0], ast.Expr) and isinstance(rest[0].value, ast.Call):
        return _update(rest[0].value, models, at)
    raise Declined(f"{node.name}() does something else than an update")


def _got(node: ast.stmt, app: str, at: At) -> tuple[str, Model] | None:
    """Return (name, model) of `Name = apps.get_model("app", "Model")`."""
    call = node.value if isinstance(node, ast.Assign) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    if call.func.attr != "get_model" or not isinstance(target, ast.Name) or at.models is None:
        return None
    words = [one.value for one in call.args if isinstance(one, ast.Constant)]
    words += [one.value.value for one in call.keywords if isinstance(one.value, ast.Constant)]
    if len(words) == 1 and isinstance(words[0], str):
        words = list(words[0].split("."))
    if len(words) != 2 or not all(isinstance(one, str) for one in words):
        return None
    found = at.models.get(str(words[0]), str(words[1]))
    return (target.id, found) if found.fields else None


def _loop(node: ast.For, models: dict[str, Model], at: At) -> Batched:
    model, where = _queryset(node.iter, models, at)
    target = node.target.id if isinstance(node.target, ast.Name) else ""
    sets: dict[str, str] = {}
    for one in node.body:
        if isinstance(one, ast.Assign) and _attribute(one.targets[0], target):
            name = _attribute(one.targets[0], target)
            value = _said(one.value, target, model, at)
            if any(quoted(column) in value for column in sets):
                raise Declined(f"{target}.{name} is made of what was assigned before it")
            sets[_column(model, name, at)] = value
        elif not _saves(one, target):
            raise Declined("the loop does more than assign and save")
    for name, field in model.fields.items():  # save() writes these as well
        if field.kwargs.get("auto_now") is True:
            if field.last not in TOUCHED:
                raise Declined(f"save() writes {model.name}.{name} as well (auto_now)")
            sets.setdefault(_column(model, name, at), TOUCHED[field.last])
    if not sets or not _saves(node.body[-1], target):
        raise Declined("the loop does more than assign and save")
    said = ", ".join(f"{quoted(column)} = {value}" for column, value in sets.items())
    return Batched(model.table, said, where, _key(at, model.table))


def _saves(node: ast.stmt, target: str) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    return (
        isinstance(func, ast.Attribute)
        and func.attr == "save"
        and (isinstance(func.value, ast.Name) and func.value.id == target)
    )


def _update(node: ast.Call, models: dict[str, Model], at: At) -> Batched:
    func = node.func
    if not isinstance(func, ast.Attribute) or func.attr != "update" or node.args:
        raise Declined("it is not an update()")
    model, where = _queryset(func.value, models, at)
    sets = []
    for word in node.keywords:
        if word.arg is None:
            raise Declined("what it sets can't be read")
        column = _column(model, word.arg, at)
        sets.append(f"{quoted(column)} = {_said(word.value, '', model, at)}")
    return Batched(model.table, ", ".join(sets), where, _key(at, model.table))


def _queryset(node: ast.expr, models: dict[str, Model], at: At) -> tuple[Model, str]:
    """Return the model and the condition of `Model.objects.filter(...)`, in any plain form."""
    where: list[str] = []
    calls: list[ast.Call] = []
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Call):
            calls.append(node)
        node = node.func if isinstance(node, ast.Call) else node.value
    model = models.get(node.id) if isinstance(node, ast.Name) else None
    if model is None:
        raise Declined("the model is not asked for with apps.get_model()")
    for call in reversed(calls):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in ("all", "iterator", "order_by", "only", "using"):
            continue
        if name not in ("filter", "exclude") or call.args:
            raise Declined(f"{name}() can't be said in SQL here")
        parts = [_condition(word, model, at) for word in call.keywords]
        said = " AND ".join(parts)
        where.append(said if name == "filter" else f"({said}) IS NOT TRUE")
    return model, " AND ".join(where)


def _condition(word: ast.keyword, model: Model, at: At) -> str:
    name, _, how = (word.arg or "").partition("__")
    column = quoted(_column(model, name, at))
    value = word.value.value if isinstance(word.value, ast.Constant) else ...
    if how == "isnull" and isinstance(value, bool):
        return f"{column} IS {'' if value else 'NOT '}NULL"
    if how in ("", "exact") and value is None:
        return f"{column} IS NULL"
    signs = {"": "=", "exact": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    if how in signs and value is not ...:
        return f"{column} {signs[how]} {constant(value)}"
    raise Declined(f"the condition {word.arg} can't be said in SQL here")


def _column(model: Model, field: str, at: At) -> str:
    if field == "pk":
        return _key(at, model.table)
    if field not in model.fields or at.models is None:
        plain = [name for name in model.fields if f"{name}_id" == field]
        if not plain:
            raise Declined(f"{model.name} has no field {field}")
        return field
    kind = model.fields[field]
    if not kind.name.startswith("django.db.models") or kind.last in CHANGED:
        raise Declined(
            f"{model.name}.{field} is a {kind.last}, which may change what Python writes"
        )
    return at.models.column_name(model, field)


def _attribute(node: ast.expr, target: str) -> str:
    plain = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return node.attr if plain and node.value.id == target else ""  # type: ignore[attr-defined]


def _said(node: ast.expr, target: str, model: Model, at: At) -> str:
    """Return a Python expression over the row as SQL."""

    def column(inner: ast.expr) -> str:
        if target and _attribute(inner, target):
            return _column(model, _attribute(inner, target), at)
        func = inner.func if isinstance(inner, ast.Call) else None
        if isinstance(inner, ast.Call) and isinstance(func, ast.Name) and func.id == "F":
            first = inner.args[0]
            return _column(model, str(first.value), at) if isinstance(first, ast.Constant) else ""
        return ""

    return expression(node, column, model.table, at)
