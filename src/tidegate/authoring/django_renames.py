"""Renames that Django sees as something removed and something added, unasked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidegate.authoring.job import Answers, Outcome, Question, Refusal, listed
from tidegate.authoring.likeness import Part, after, candidates, compare_tables
from tidegate.authoring.unimported import Declared

MOST = 10_000


def ask(detector: Any, answers: Answers, known: list[Declared], outcome: Outcome) -> None:
    """Note what has to be asked about the detector's changes."""
    _models(detector, answers, known, outcome)
    _fields(detector, answers, outcome)


def _operations(detector: Any, kind: str) -> Iterator[tuple[str, Any]]:
    for app, migrations in (detector._tidegate_changes or {}).items():
        for migration in migrations:
            for operation in migration.operations:
                if type(operation).__name__ == kind:
                    yield app, operation


def _models(detector: Any, answers: Answers, known: list[Declared], outcome: Outcome) -> None:
    created = [(app, operation) for app, operation in _operations(detector, "CreateModel")]
    for app, operation in _operations(detector, "DeleteModel"):
        state = detector.from_state.models[app, operation.name_lower]
        old = f"{app}.{operation.name}"
        if answers.is_dropped(old) or not state.options.get("managed", True):
            continue
        have = {name: _kind(field) for name, field in state.fields.items()}
        likely = [
            like for other, new in created if other == app
            if (like := compare_tables(
                have, {name: _kind(field) for name, field in new.fields}, old, f"{app}.{new.name}"
            ))
        ]  # fmt: skip
        table = state.options.get("db_table") or f"{app}_{operation.name_lower}"
        if likely:
            likely.sort(key=lambda like: -like.likeness)
            new_name = likely[0].new.rpartition(".")[2]
            outcome.questions.append(Question(
                "model", old, tuple(likely), _rows(table),
                f"RenameModel({operation.name!r}, {new_name!r})",
                f"DeleteModel({operation.name!r}) and CreateModel({new_name!r})",
            ))  # fmt: skip
            continue
        hidden = [one for one in known
                  if not one.imported and one.name == f"class {operation.name}"]  # fmt: skip
        if hidden:
            outcome.refusals.append(Refusal(
                f"{old} would be deleted, and a class of that name is there",
                f"{hidden[0].shown}, and nothing imports that module.\n"
                f"Models that were seen: {listed(outcome.seen) or 'none'}.",
                f"import {hidden[0].module} in the models of {app}\n"
                f"or, if {table} has to go: --drop {old}",
            ))  # fmt: skip


def _fields(detector: Any, answers: Answers, outcome: Outcome) -> None:
    added: dict[tuple[str, str], list[Any]] = {}
    for app, operation in _operations(detector, "AddField"):
        added.setdefault((app, operation.model_name_lower), []).append(operation)
    for app, operation in _operations(detector, "RemoveField"):
        key = (app, operation.model_name_lower)
        if key not in added or key not in detector.to_state.models:
            continue
        old_state, new_state = detector.from_state.models[key], detector.to_state.models[key]
        whole = f"{app}.{new_state.name}"
        old = f"{whole}.{operation.name}"
        if answers.is_dropped(old):
            continue
        kept = set(old_state.fields) & set(new_state.fields)
        field = old_state.fields[operation.name]
        part = _part(old, field, list(old_state.fields), kept)
        likely = candidates(part, [
            _part(f"{whole}.{one.name}", one.field, list(new_state.fields), kept)
            for one in added[key]
        ])  # fmt: skip
        if likely:
            new_name = likely[0].new.rpartition(".")[2]
            outcome.questions.append(Question(
                "field", old, likely, _values(detector, key, operation.name),
                f"RenameField({new_state.name!r}, {operation.name!r}, {new_name!r})",
                f"RemoveField({new_state.name!r}, {operation.name!r}) and AddField of {new_name}",
            ))  # fmt: skip


def _part(name: str, field: Any, order: list[str], kept: set[str]) -> Part:
    target = getattr(getattr(field, "remote_field", None), "model", None)
    shown = target if isinstance(target, str) else getattr(
        getattr(target, "_meta", None), "label", "")  # fmt: skip
    before = after(order, name.rpartition(".")[2], kept)
    return Part(name, _kind(field), bool(field.null), before, str(shown or "").lower())


def _kind(field: Any) -> str:
    length = getattr(field, "max_length", None)
    return type(field).__name__ + (f"({length})" if length else "")


def _rows(table: str) -> str:
    found = _asked(f"SELECT count(*) FROM (SELECT 1 FROM {_quote(table)} LIMIT {MOST}) AS part")
    if found is None:
        return ""
    rows = found[0]
    if not rows:
        return "the table is empty here"
    return f"it holds {'at least ' if rows == MOST else ''}{rows} row{'s' * (rows != 1)} here"


def _values(detector: Any, key: tuple[str, str], name: str) -> str:
    place = _place(detector.from_state, key, name)
    if place is None:
        return ""
    table, column = place
    found = _asked(
        f"SELECT count(*), count(c) FROM (SELECT {_quote(column)} AS c FROM {_quote(table)} "
        f"LIMIT {MOST}) AS part"
    )
    if found is None:
        return ""
    rows, values = found
    if not rows:
        return "the table is empty here"
    return f"{values} of {'the first ' if rows == MOST else ''}{rows} rows here hold a value"


def nulls(from_state: Any, model: str, field: str) -> int | None:
    """Return how many rows hold NULL in a field, or None where that can't be asked."""
    for key in from_state.models:
        if key[1] == model.lower() and field in from_state.models[key].fields:
            place = _place(from_state, key, field)
            if place is not None:
                table, column = place
                found = _asked(
                    f"SELECT count(*) FROM (SELECT 1 FROM {_quote(table)} WHERE "
                    f"{_quote(column)} IS NULL LIMIT {MOST}) AS part"
                )
                return None if found is None else found[0]
    return None


def _place(from_state: Any, key: tuple[str, str], name: str) -> tuple[str, str] | None:
    """Return the table and the column of a field of the old state."""
    try:
        model = from_state.apps.get_model(*key)
        field = model._meta.get_field(name)
    except Exception:  # a state that can't be rendered: nothing is known
        return None
    return (model._meta.db_table, field.column) if getattr(field, "column", None) else None


def _quote(name: str) -> str:
    from django.db import connection

    return str(connection.ops.quote_name(name))


def _asked(sql: str) -> tuple[int, ...] | None:
    """Ask the database; None where it can't be asked, which is no reason to stop."""
    from django.db import connection

    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row: tuple[int, ...] | None = cursor.fetchone()
            return row
    except Exception:
        return None
