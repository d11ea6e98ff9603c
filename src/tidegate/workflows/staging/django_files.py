"""A Django migration divided into several: the files, their order, and what depends on them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tidegate.reading.migrations import django_source
from tidegate.workflows.check.edits import Fixed, Source, applied
from tidegate.workflows.check.fixes_django import attribute, make_not_atomic, operations
from tidegate.workflows.staging.remarks import left_out
from tidegate.workflows.staging.stage import (
    Declined,
    Stage,
    definitions,
    import_lines,
    indented,
    merged,
    names_in,
)

MIGRATIONS = "from django.db import migrations"


@dataclass
class Part:
    """One file: its operations as lines of the list, and what goes before the class."""

    text: str
    atomic: bool
    suffix: str = ""
    code: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)


def divide(source: Source, call: ast.Call, stages: Sequence[Stage], what: str) -> Fixed:
    """Put `stages` in the place of an operation; what follows it goes after the last of them."""
    before, around, after = _around(source, call)
    kept = [text for one in stages for text in (*one.forward, one.code)]
    around += "".join(f"        {one}\n" for one in left_out(source.of(call), kept))
    own_atomic = _is_atomic(source)
    parts = [Part(before, own_atomic)] if before.strip() else []
    for number, stage in enumerate(stages):
        text = (around if not number else "") + _listed(stage)
        into = parts[-1] if parts and not number else None
        if into is not None and into.atomic and stage.atomic and not stage.apart:
            code = [stage.code] if stage.code else []
            imports = list(stage.imports)
            parts[-1] = replace(into, text=into.text + text, code=code, imports=imports)
            continue
        code = [stage.code] if stage.code else []
        parts.append(Part(text, stage.atomic, stage.suffix, code, list(stage.imports)))
    if after.strip():
        if stages[-1].alone or not (stages[-1].atomic and own_atomic):
            parts.append(Part(after, own_atomic, "rest"))
        else:
            parts[-1].text += after
    return _written(source, parts, what)


def _listed(stage: Stage) -> str:
    return "".join(indented(one, 8) + ",\n" for one in stage.forward)


def _is_atomic(source: Source) -> bool:
    node = attribute(source, "atomic")
    return not (node is not None and source.of(node.value) == "False")


def _around(source: Source, call: ast.Call) -> tuple[str, str, str]:
    """Return the operations before, the comments at the operation, and those after it, as lines."""
    nodes = operations(source)
    if call not in nodes:
        raise Declined("it is not in the list of the migration's own operations")
    number = nodes.index(call)
    listed = attribute(source, "operations")
    assert listed is not None
    begin, end = source.start(listed.value) + 1, source.end(listed.value) - 1
    edges = [begin]
    for node in nodes:
        rest = re.match(r"[ \t]*,?[ \t]*(#[^\n]*)?(\n|(?=\]))", source.text[source.end(node) :])
        if rest is None or source.text[edges[-1] : source.start(node)].strip(" \t\r\n")[:1] not in (
            "#", "",
        ):  # fmt: skip
            raise Declined("its operations don't stand on lines of their own")
        edges.append(source.end(node) + rest.end())
    if source.text[begin : begin + 1] != "\n" or source.text[edges[-1] : end].strip():
        raise Declined("its operations don't stand on lines of their own")
    region = source.text[edges[number] : edges[number + 1]]
    start = source.start(call) - edges[number]
    comments = [one.strip() for one in region[:start].split("\n") if one.strip()]
    comments += re.findall(r"#[^\n]*", region[start + source.end(call) - source.start(call) :])
    around = "".join(f"        {one}\n" for one in comments)
    return (
        source.text[begin + 1 : edges[number]] if number else "",
        around,
        source.text[edges[number + 1] : edges[-1]],
    )


def _written(source: Source, parts: Sequence[Part], what: str) -> Fixed:
    record = django_source.read(source.text, source.path, *_step(source))
    if record is None or record.replaces:
        raise Declined("a squashed migration stands for others")
    app, own = _step(source)
    names = _names(source, own, parts[1:])
    new: dict[str, str] = {}
    for before, name, part in zip([own, *names], names, parts[1:], strict=False):
        new[source.beside(name)] = new_file(source, part, app, before)
    others = redirected(source, app, own, names[-1]) if names else {}
    return Fixed(source.path, _first(source, parts[0]), what, new, others)


def _step(source: Source) -> tuple[str, str]:
    one = source.project.source(source.path)
    return one.group, one.name


def _names(source: Source, own: str, parts: Sequence[Part]) -> list[str]:
    """Return the new files' names: the next numbers where this is the last, else its own."""
    taken = source.neighbours()
    mine = re.match(r"(\d+)_(.*)", own)
    digits, words = (mine[1], mine[2]) if mine else ("", own)
    numbers = [int(m[1]) for one in taken if (m := re.match(r"(\d+)_", one))]
    last = bool(mine) and max(numbers) == int(digits)
    out: list[str] = []
    for number, part in enumerate(parts, 1):
        width = len(digits)
        at = f"{int(digits) + number:0{width}d}_" if last else f"{digits}_" if digits else ""
        plain = name = f"{at}{words[:50]}_{part.suffix}"
        again = 1
        while name in taken or name in out:  # what is divided again has such a part already
            again += 1
            name = f"{plain}_{again}"
        out.append(name)
    return out


def _first(source: Source, part: Part) -> str:
    """Return the divided file: the first part's operations, and what they need."""
    listed = attribute(source, "operations")
    assert listed is not None
    begin, end = source.start(listed.value) + 1, source.end(listed.value) - 1
    edits = [(begin, end, "\n" + part.text + "    ")]
    if not part.atomic and _is_atomic(source):
        edits += make_not_atomic(source)
    edits += _added(source, part)
    return without_unused(source, applied(source.text, edits), part.imports)


def _added(source: Source, part: Part) -> list[tuple[int, int, str]]:
    """Return the edits that add imports and functions before the class."""
    out = []
    imports = [n for n in source.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    missing = [one for one in part.imports if one not in {source.of(node) for node in imports}]
    if missing:
        for one in missing:
            out.append(_import(source, imports, one))
    if part.code:
        migration = next(n for n in source.tree.body if isinstance(n, ast.ClassDef)
                         and n.name == "Migration")  # fmt: skip
        at = source.offset(migration.lineno, 0)
        out.append((at, at, "".join(one + "\n\n\n" for one in part.code)))
    return out


def _import(
    source: Source, imports: Sequence[ast.Import | ast.ImportFrom], line: str
) -> tuple[int, int, str]:
    """Return the edit that puts an import where its name belongs."""
    module = line.split()[1]
    for one in imports:
        if isinstance(one, ast.ImportFrom) and (one.module or "") > module:
            same = (one.module or "").partition(".")[0] == module.partition(".")[0]
            if same:
                return (source.start(one), source.start(one), line + "\n")
    at = source.end(imports[-1]) if imports else 0
    return (at, at, "\n" + line)


def without_unused(source: Source, text: str, added: Sequence[str] = ()) -> str:
    """Take out the definitions and imported names that were used before and are not any more."""
    for _ in range(20):
        now = Source(source.project, source.path, text, ast.parse(text))
        edits = _unused(source, now)
        if not edits:
            return text
        text = applied(text, edits[:1])
    return text


def _unused(source: Source, now: Source) -> list[tuple[int, int, str]]:
    before, used = _read(source.tree), _read(now.tree)
    out = []
    for node in now.tree.body:
        gone: set[str] = set()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            gone = {node.name}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            gone = {(one.asname or one.name).partition(".")[0] for one in node.names}
        lost = {one for one in gone if one in before and one not in used}
        if not lost:
            continue
        if lost < gone:
            line = import_lines(now, [node], gone - lost)
            out.append((now.start(node), now.end(node), line[0]))
        else:
            out.append(cut(now, node))
    return out


def _read(tree: ast.Module) -> set[str]:
    return {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}


def cut(source: Source, node: ast.stmt) -> tuple[int, int, str]:
    """Return the edit that takes a statement out, with the comments and empty lines above it."""
    start = source.offset(node.lineno - len(getattr(node, "decorator_list", [])), 0)
    lines = source.text[:start].splitlines(keepends=True)
    definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
    while definition and lines and (lines[-1].startswith("#") or not lines[-1].strip()):
        start -= len(lines.pop())
    end = source.text.find("\n", source.end(node)) + 1 or len(source.text)
    return (start, end, "")


def new_file(source: Source, part: Part, app: str, before: str) -> str:
    """Return the text of a new migration."""
    code = "[\n" + part.text + "]\nmigrations\n" + "\n".join(part.code)
    imports, kept = definitions(source, code)
    used = names_in(code) | {name for one in kept for name in names_in(ast.unparse(one))}
    head = import_lines(source, imports, used)
    whole = "\n".join(head)
    if "migrations" not in {one.asname or one.name for n in imports for one in n.names}:
        head.append(MIGRATIONS)
    lines = merged([*head, *(one for one in part.imports if one not in whole)])
    moved = [source.text[cut(source, one)[0] : source.end(one)].strip("\n") for one in kept]
    body = "\n\n\n".join(["\n".join(lines), *moved, *part.code])
    atomic = "" if part.atomic else "    atomic = False\n\n"
    return (
        f"{body}\n\n\nclass Migration(migrations.Migration):\n{atomic}"
        f'    dependencies = [\n        ("{app}", "{before}"),\n    ]\n\n'
        f"    operations = [\n{part.text.rstrip()}\n    ]\n"
    )


def redirected(source: Source, app: str, own: str, last: str) -> dict[str, str]:
    """Return the files that depend on this one, depending on the last of the new ones instead."""
    out = {}
    for one in source.project.sources():
        if one.framework != "django" or one.path == source.path:
            continue
        text = source.project.read(one.path)
        if own not in text:
            continue
        tree = ast.parse(text)
        other = Source(source.project, one.path, text, tree)
        record = django_source.read(text, one.path, one.group, one.name)
        if record is None:
            continue
        if f"{app}.{own}" in record.replaces:
            raise Declined(f"{one.path} is squashed from it")
        if f"{app}.{own}" not in record.needs:
            continue
        edits = _dependency(other, app, own, last)
        if not edits:
            raise Declined(f"{one.path} depends on it in a way that can't be rewritten")
        out[one.path] = applied(text, edits)
    return out


def _dependency(other: Source, app: str, own: str, last: str) -> list[tuple[int, int, str]]:
    node = attribute(other, "dependencies")
    out = []
    for one in ast.walk(node.value) if node is not None else ():
        if not isinstance(one, ast.Tuple) or len(one.elts) != 2:
            continue
        values = [each.value if isinstance(each, ast.Constant) else None for each in one.elts]
        if values == [app, own]:
            text = other.of(one.elts[1]).replace(own, last)
            out.append((other.start(one.elts[1]), other.end(one.elts[1]), text))
    return out
