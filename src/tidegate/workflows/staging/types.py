"""`make --expand type:` and `--contract type:`, and `--expand unique:`.

A new type has its copy of the column in one release and takes its place in another; both releases
see the one column that there is.
"""

from __future__ import annotations

import ast

from tidegate.errors import UsageProblem
from tidegate.model.operation import AlterColumn
from tidegate.reading.migrations.declaring import module_scope
from tidegate.reading.migrations.kinds import Call
from tidegate.reading.migrations.values import evaluate
from tidegate.workflows.staging import alembic_fixes, django_fixes
from tidegate.workflows.staging.named import Named
from tidegate.workflows.staging.retype import Retyped
from tidegate.workflows.staging.retype import retyped as retyping_of
from tidegate.workflows.staging.stage import Declined, Stage, literal
from tidegate.workflows.staging.unique import Unique

FIELDS = "from django.db import models"


def copy_of(one: Named) -> str:
    """Return the name of the copy that a new type has of the column."""
    return Retyped(one.table, one.column.name, "", "", "", True, ()).copy


def type_of(one: Named) -> str:
    """Return the SQL type that a column is to have."""
    return _field(one)[0] if one.kind == "type" and one.model else one.new.strip().lower()


def unique_name(one: Named) -> str:
    """Return what the constraint of --expand unique: is called."""
    return f"{one.table.rpartition('.')[2]}_{one.column.name}_unique"[:63]


def expanded(one: Named, django: bool) -> list[Stage]:
    """Return everything up to the moment at which the copy takes the column's place."""
    return _stages(one, django)[:-1]


def contracted(one: Named, django: bool) -> Stage:
    """Return that moment: one short transaction."""
    return _stages(one, django)[-1]


def _stages(one: Named, django: bool) -> list[Stage]:
    kind, state = _field(one) if django and one.model else (type_of(one), "")
    made = _retyped(one, kind)
    if not django:
        return alembic_fixes.retyping(made)
    stages = django_fixes.retyping(made, state)
    last = stages[-1]
    imports = (*last.imports, FIELDS)
    return [*stages[:-1], Stage(last.suffix, last.forward, code=last.code, imports=imports)]


def _retyped(one: Named, kind: str) -> Retyped:
    if kind == one.column.type:
        raise UsageProblem(
            f"{one.table}.{one.column.name} is {kind} already", "", "there is nothing to do"
        )
    change = AlterColumn(one.table, one.column.name, before=one.column, type=kind)
    try:
        return retyping_of(change, one.at)
    except Declined as why:
        raise UsageProblem(str(why), "", "write it by hand: tidegate make --empty") from None


def _field(one: Named) -> tuple[str, str]:
    """Return the SQL type of a field of Django, and the operation that puts it into the state."""
    assert one.model is not None and one.at.models is not None
    text = one.new.strip()
    text = text if "." in text.partition("(")[0] else f"models.{text}"
    text = text if text.endswith(")") else f"{text}()"
    wrong = UsageProblem(
        f"{one.new} is not a field of Django", "The type is written as the model has it.",
        f'write "type:{one.model.name}.{one.field}=BigIntegerField(null=True)"',
    )  # fmt: skip
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        raise wrong from None
    field = evaluate(node, module_scope(ast.parse(FIELDS)))
    if not isinstance(field, Call):
        raise wrong
    column = one.at.models.column(one.model, one.field, field)
    if not column.type or column.type.startswith("?"):
        raise wrong
    if column.nullable != one.column.nullable or column.name != one.column.name:
        raise UsageProblem(
            f"{one.new} changes more than the type of {one.model.name}.{one.field}",
            f"It is {'' if one.column.nullable else 'not '}null now.",
            "write null=True as the model has it, and change the rest by itself",
        )
    state = (
        f"migrations.AlterField(\n    model_name={literal(one.model.name.lower())},\n"
        f"    name={literal(one.field)},\n    field={ast.unparse(node)},\n)"
    )
    return column.type, state


def unique(one: Named, django: bool) -> list[Stage]:
    """Return the stages of a unique constraint over the column."""
    name = unique_name(one)
    made = Unique(one.table, name, (one.column.name,))
    if one.column.unique or one.column.primary_key:
        raise UsageProblem(
            f"{one.table}.{one.column.name} is unique already", "", "there is nothing to do"
        )
    if not django:
        return made.alembic()
    if one.model is None:
        return made.django([])
    state = (
        f"migrations.AddConstraint(\n    model_name={literal(one.model.name.lower())},\n"
        f"    constraint=models.UniqueConstraint(\n        fields=[{literal(one.field)}], "
        f"name={literal(name)}\n    ),\n)"
    )
    *built, last = made.django([state])
    return [*built, Stage(last.suffix, last.forward, imports=(FIELDS,))]
