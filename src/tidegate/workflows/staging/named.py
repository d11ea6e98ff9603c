"""A change that was named on the command line, found in what the migrations make."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.errors import UsageProblem
from tidegate.model.operation import Column
from tidegate.reading.migrations.django_state import Model
from tidegate.workflows.check.chain import Chain
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging.moments import At, latest

CHANGES = "rename:TABLE.OLD=NEW, drop:TABLE.COLUMN, type:TABLE.COLUMN=TYPE or unique:TABLE.COLUMN"
SPELLED = re.compile(r"(rename|drop|type|unique):([\w.]+)\.(\w+)(?:=(.+))?", re.S)
VALUED = ("rename", "type")


@dataclass(frozen=True)
class Named:
    """A change of one column, with what the migrations say of it."""

    kind: str
    table: str
    column: Column
    new: str
    at: At
    model: Model | None = None
    field: str = ""


def named(tree: Tree, app: str, said: str, contract: bool = False) -> tuple[Chain, Named]:
    """Return the change that was named, with what the migrations know. Raises UsageProblem."""
    match = SPELLED.fullmatch(said)
    if match is None or bool(match[4]) != (match[1] in VALUED):
        raise UsageProblem(f"{said} is not a change", "", f"write it as {CHANGES}")
    kind, owner, name, new = match[1], match[2], match[3], match[4] or ""
    if kind == "rename" and not new.isidentifier():
        raise UsageProblem(f"{new} is no name", "", f"write it as {CHANGES}")
    for chain, at in latest(tree, ""):
        if at.vendor != "postgresql":
            raise UsageProblem(
                f"--expand and --contract are written for PostgreSQL, not for {at.vendor}",
                "They use its triggers.",
                "write it by hand: tidegate make --empty",
            )
        found = _column(at, app, owner, name, new if contract and kind == "rename" else "")
        if found is not None:
            model, field, table, column = found
            return chain, Named(kind, table, column, new, at, model, field)
    raise UsageProblem(
        f"the migrations make no column {owner}.{name}",
        "It is TABLE.COLUMN as the database has it, or Model.field of Django.",
        "correct the name",
    )


def _column(
    at: At, app: str, owner: str, name: str, renamed: str
) -> tuple[Model | None, str, str, Column] | None:
    """Return (model, field, table, column); `renamed`: the field may have its new name already."""
    models = at.models.all.values() if at.models else ()
    for model in models:
        names = (model.name.lower(), f"{model.app}.{model.name}".lower(), model.table)
        if owner.lower() not in names or (app and model.app != app):
            continue
        table = at.tables.get(model.table)
        for field in (name, renamed):
            if field in model.fields and at.models is not None and table is not None:
                column = at.models.column_name(model, field)
                old = column if field == name else name
                kept = table.columns.get(old) or table.columns.get(name)
                if kept is not None:
                    return model, field, model.table, kept
        if table is not None and name in table.columns:
            return model, name, model.table, table.columns[name]
    table = at.tables.get(owner)
    column_ = table.columns.get(name) if table is not None else None
    return (None, "", owner, column_) if column_ is not None else None
