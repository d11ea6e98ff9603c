"""Safe rewrites of Django migrations."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from tidegate.model.finding import Finding
from tidegate.workflows.check.edits import Fixed, Source, applied, imports_for, unknown

POSTGRES = "django.contrib.postgres.operations"
NAMES = {"AddIndex": "AddIndexConcurrently", "RemoveIndex": "RemoveIndexConcurrently"}
Edit = tuple[int, int, str]


def _migration(source: Source) -> ast.ClassDef | None:
    return next(
        (
            node
            for node in source.tree.body
            if isinstance(node, ast.ClassDef) and node.name == "Migration"
        ),
        None,
    )


def attribute(source: Source, name: str) -> ast.Assign | None:
    """Return the assignment of a name in the class of the migration."""
    migration = _migration(source)
    for node in migration.body if migration else ():
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and target.id == name:
            return node
    return None


def operations(source: Source) -> list[ast.expr]:
    """Return the migration's operations."""
    node = attribute(source, "operations")
    return list(node.value.elts) if node and isinstance(node.value, ast.List) else []


def called(call: ast.expr) -> str:
    """Return the last part of the name that is called."""
    func = call.func if isinstance(call, ast.Call) else None
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def concurrently(source: Source, one: Finding) -> Fixed | None:
    """AddIndex and RemoveIndex become concurrent, in a migration that is not atomic.

    Where the file holds more than that and nothing depends on it, the operation moves into the
    next file.
    """
    call = source.call_at(one.place)
    listed = operations(source)
    if call is None or call not in listed or called(call) not in NAMES:
        return None
    if all(called(other) in (*NAMES, *NAMES.values()) for other in listed):
        if len(listed) > 1:
            return None
        return _in_place(source, call)
    return _moved(source, call)


def _in_place(source: Source, call: ast.Call) -> Fixed | None:
    new = NAMES[called(call)]
    edits = [(source.start(call.func), source.end(call.func), new), *_import(source, new)]
    edits += make_not_atomic(source)
    return Fixed(source.path, applied(source.text, edits), f"{new}, atomic = False")


def _import(source: Source, name: str) -> list[Edit]:
    """Return the edit that imports an operation of django.contrib.postgres."""
    imports = [n for n in source.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    for node in imports:
        if isinstance(node, ast.ImportFrom) and node.module == POSTGRES:
            if any(one.name == name and one.asname is None for one in node.names):
                return []
            last = node.names[-1]
            at = source.offset(last.end_lineno or 0, last.end_col_offset or 0)
            return [(at, at, f", {name}")]
    line = f"from {POSTGRES} import {name}\n"
    later = [one for one in imports if getattr(one, "module", "") != "__future__"]
    if not later:
        return [(at, at, "\n" + line) for at in [source.end(imports[-1])]] if imports else []
    at = source.start(later[0])
    return [(at, at, line)]


def make_not_atomic(source: Source) -> list[Edit]:
    """Return the edit that says `atomic = False`."""
    node = attribute(source, "atomic")
    if node is not None:
        return [(source.start(node.value), source.end(node.value), "False")]
    migration = _migration(source)
    if migration is None:
        return []
    first = migration.body[0]
    margin = source.margin(first)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        at = source.end(first)
        return [(at, at, f"\n\n{margin}atomic = False")]
    at = source.start(first)
    return [(at, at, f"atomic = False\n\n{margin}")]


def _moved(source: Source, call: ast.Call) -> Fixed | None:
    """Move an operation into a file of its own that follows this one."""
    new = NAMES[called(call)]
    code = new + source.text[source.end(call.func) : source.end(call)]
    text = _without(source, call)
    following = _following(source, code, [new], atomic=False, suffix="concurrently")
    if text is None or following is None:
        return None
    return Fixed(source.path, text, f"{new} in a migration of its own", following)


def _without(source: Source, call: ast.Call) -> str | None:
    """Return the text without an operation of the list: its lines, and its comma."""
    start, end = source.start(call), source.end(call)
    begin = source.text.rindex("\n", 0, start) + 1
    if source.text[begin:start].strip():
        return None
    rest = re.match(r"[ \t]*,?[ \t]*\n", source.text[end:])
    if rest is None:
        return None
    return source.text[:begin] + source.text[end + rest.end() :]


def _following(
    source: Source, code: str, names: list[str], atomic: bool, suffix: str
) -> dict[str, str] | None:
    """Return a file that follows this one and holds `code`; None where others depend on this."""
    app, _, own = _step(source)
    numbers = [int(m.group(1)) for n in source.neighbours() if (m := re.match(r"(\d{4})_", n))]
    mine = re.match(r"(\d{4})_(.*)", own)
    if mine is None or max(numbers, default=0) != int(mine.group(1)):
        return None
    if sum(number == int(mine.group(1)) for number in numbers) > 1:
        return None
    name = f"{int(mine.group(1)) + 1:04d}_{mine.group(2)}_{suffix}"
    head = [f"from {POSTGRES} import {', '.join(names)}", "from django.db import migrations"]
    head += [one for one in imports_for(source, code) if one not in head]
    head = _merged(head)
    if unknown(code, head):
        return None
    lines = [
        *head, "", "", "class Migration(migrations.Migration):",
        *(["    atomic = False", ""] if not atomic else []),
        "    dependencies = [", f'        ("{app}", "{own}"),', "    ]", "",
        "    operations = [", f"        {code},", "    ]", "",
    ]  # fmt: skip
    return {source.beside(name): "\n".join(lines)}


def _merged(head: list[str]) -> list[str]:
    """`from django.db import migrations` is left out where a fuller one is there."""
    fuller = [
        one for one in head if one.startswith("from django.db import") and "migrations" in one
    ]
    if len(fuller) > 1:
        head = [one for one in head if one != "from django.db import migrations"]
    return sorted(dict.fromkeys(head))


def _step(source: Source) -> tuple[str, str, str]:
    one = source.project.source(source.path)
    return one.group, ".", one.name


def split_check(source: Source, one: Finding) -> Fixed | None:
    """A check is added NOT VALID, and validated by the next migration."""
    call = source.call_at(one.place)
    if call is None or call not in operations(source) or called(call) != "AddConstraint":
        return None
    words = {word.arg: word.value for word in call.keywords}
    model = words.get("model_name", call.args[0] if call.args else None)
    made = words.get("constraint", call.args[1] if len(call.args) > 1 else None)
    if not isinstance(made, ast.Call) or model is None or called(made) != "CheckConstraint":
        return None
    name = next((word.value for word in made.keywords if word.arg == "name"), None)
    if not isinstance(name, ast.Constant) or not isinstance(model, ast.Constant):
        return None
    code = f"ValidateConstraint(model_name={source.of(model)}, name={source.of(name)})"
    following = _following(source, code, ["ValidateConstraint"], True, "validate")
    if following is None:
        return None
    edits = [(source.start(call.func), source.end(call.func), "AddConstraintNotValid")]
    edits += _import(source, "AddConstraintNotValid")
    text = applied(source.text, edits)
    return Fixed(source.path, text, "NOT VALID, and validated by the next migration", following)


def reverse(source: Source, one: Finding) -> Fixed | None:
    """A RunPython or RunSQL without a reverse says that there is nothing to undo."""
    call = source.call_at(one.place)
    if call is None or called(call) not in ("RunPython", "RunSQL"):
        return None
    word = "reverse_code" if called(call) == "RunPython" else "reverse_sql"
    given = next((one.value for one in call.keywords if one.arg == word), None)
    given = call.args[1] if len(call.args) > 1 else given
    noop = f"{source.of(call.func)}.noop"
    if given is not None:  # it says None
        edit = (source.start(given), source.end(given), noop)
    else:
        edit = source.with_argument(call, f"{word}={noop}")
    return Fixed(source.path, applied(source.text, [edit]), "nothing to undo, said so")


def not_atomic(source: Source, one: Finding) -> Fixed | None:
    """A migration that holds one concurrent operation says atomic = False."""
    if len(operations(source)) != 1:
        return None
    return Fixed(source.path, applied(source.text, make_not_atomic(source)), "atomic = False")


FIXERS: dict[str, Callable[[Source, Finding], Fixed | None]] = {
    "index-without-concurrently": concurrently,
    "index-dropped-without-concurrently": concurrently,
    "concurrently-in-transaction": not_atomic,
    "check-validates": split_check,
    "irreversible": reverse,
}
