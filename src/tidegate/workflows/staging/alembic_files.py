"""An Alembic revision divided into several: both directions, their order, and what follows."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tidegate.reading.migrations import alembic_source
from tidegate.workflows.check.edits import Fixed, Source, applied
from tidegate.workflows.staging.alembic_following import redirected
from tidegate.workflows.staging.django_files import without_unused
from tidegate.workflows.staging.remarks import MECHANICAL, left_out
from tidegate.workflows.staging.stage import (
    Declined,
    Stage,
    definitions,
    import_lines,
    indented,
    merged,
    names_in,
    slug,
)

MADE = ("create_foreign_key", "create_check_constraint", "create_unique_constraint",
        "create_primary_key", "create_exclude_constraint")  # fmt: skip
INVERSE = {
    "add_column": ("drop_column",), "drop_column": ("add_column",),
    "create_table": ("drop_table",), "drop_table": ("create_table",),
    "create_index": ("drop_index",), "drop_index": ("create_index",),
    **dict.fromkeys(MADE, ("drop_constraint",)), "drop_constraint": MADE,
    "alter_column": ("alter_column",), "rename_table": ("rename_table",),
    "execute": ("execute",), "bulk_insert": ("execute",),
}  # fmt: skip
DATA = ("execute", "bulk_insert", "")


@dataclass
class Part:
    """One revision: lines of both directions, and what goes before them."""

    forward: str
    backward: str
    suffix: str = ""
    atomic: bool = True
    code: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)


def function(source: Source, name: str) -> ast.FunctionDef | None:
    """Return upgrade() or downgrade()."""
    return next(
        (n for n in source.tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None
    )


def body(node: ast.FunctionDef | None) -> list[ast.stmt]:
    """Return a function's statements without its docstring and `pass`."""
    return [
        one
        for one in (node.body if node else ())
        if not isinstance(one, ast.Pass)
        and not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
    ]


def called(node: ast.stmt) -> str:
    """Return `x` of a statement `op.x(...)`; "" for any other."""
    call = node.value if isinstance(node, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    plain = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
    return func.attr if plain and isinstance(func, ast.Attribute) else ""


def divide(source: Source, number: int, stages: Sequence[Stage], what: str) -> Fixed:
    """Put `stages` in the place of a statement of upgrade(); what follows goes after the last.

    downgrade() is divided alike: each new revision takes back what it does.
    """
    upgrade, downgrade = function(source, "upgrade"), function(source, "downgrade")
    assert upgrade is not None
    ups, downs = body(upgrade), body(downgrade)
    _refuse_shared_names(ups, number)
    back = mirrored(ups, downs, number)
    texts, indent = _lines(source, upgrade, ups)
    behind, _ = _lines(source, downgrade, downs) if downgrade and downs else ([], indent)

    def takes(begin: int, end: int) -> str:
        """Return the lines of downgrade() that take back some statements of upgrade()."""
        numbers = sorted(back[one] for one in range(begin, end) if one in back)
        return "".join(behind[one] for one in numbers)

    before = Part("".join(texts[:number]), takes(0, number))
    after = Part("".join(texts[number + 1 :]), takes(number + 1, len(ups)), "rest")
    kept = [one for stage in stages for one in (*stage.forward, *stage.backward, stage.code)]
    head = _comments(texts[number], ups[number], kept)
    taken = mirrored(ups, downs, -1).get(number)
    foot = _comments(behind[taken], downs[taken], kept) if taken is not None else ""
    parts = [before] if before.forward.strip() else []
    for at, stage in enumerate(stages):
        made = part_of(stage, indent)
        if not at:
            made.forward, made.backward = head + made.forward, foot + made.backward
        if parts and not at and stage.atomic and not stage.apart:
            parts[-1].forward += made.forward
            parts[-1].backward = made.backward + parts[-1].backward
            parts[-1].code, parts[-1].imports = made.code, made.imports
        else:
            parts.append(made)
    if after.forward.strip():
        if stages[-1].alone or not stages[-1].atomic:
            parts.append(after)
        else:
            parts[-1].forward += after.forward
            parts[-1].backward = after.backward + parts[-1].backward
    return _written(source, parts, indent, what)


def part_of(stage: Stage, indent: str) -> Part:
    """Return a stage as lines."""
    code = [stage.code] if stage.code else []
    by = len(indent)
    return Part(
        "".join(indented(one, by) + "\n" for one in stage.forward),
        "".join(indented(one, by) + "\n" for one in stage.backward),
        stage.suffix, stage.atomic, code, list(stage.imports),
    )  # fmt: skip


def _refuse_shared_names(ups: Sequence[ast.stmt], number: int) -> None:
    """Decline where a name that is assigned before is read after: it would be in another file."""
    made = {
        one.id
        for node in ups[: number + 1]
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    used = {name for node in ups[number + 1 :] for name in names_in(ast.unparse(node))}
    if made & used:
        raise Declined(f"what follows uses {sorted(made & used)[0]}, which is made before it")


def mirrored(ups: Sequence[ast.stmt], downs: Sequence[ast.stmt], number: int) -> dict[int, int]:
    """Return which statement of downgrade() takes back which one of upgrade().

    The one of the staged statement is left out: the stages say how they are taken back. Declines
    where downgrade() is not upgrade() in reverse order.
    """
    out, at = {}, 0
    for index in range(len(ups) - 1, -1, -1):
        name = called(ups[index])
        wanted = INVERSE.get(name, ())
        if at < len(downs) and wanted and called(downs[at]) in (*wanted, "execute"):
            out[index] = at
            at += 1
        elif downs and name not in DATA:
            raise Declined("downgrade() does not take back upgrade() in reverse order")
    if at < len(downs):
        raise Declined("downgrade() does more than take back upgrade()")
    out.pop(number, None)
    return out


def backward_of(source: Source, number: int) -> str:
    """Return the statement of downgrade() that takes back one of upgrade(); "" where none does."""
    ups, downs = body(function(source, "upgrade")), body(function(source, "downgrade"))
    found = mirrored(ups, downs, -1).get(number)
    from tidegate.workflows.staging.stage import moved

    return moved(source, downs[found]) if found is not None else ""


def _leading(node: ast.FunctionDef) -> ast.stmt | None:
    """Return the last of the statements at a function's beginning that do nothing."""
    done = body(node)
    last = None
    for one in node.body:
        if one in done:
            break
        last = one
    return last


def _inside(source: Source, node: ast.FunctionDef) -> tuple[int, int]:
    """Return where a function's statements begin and end, comments above the first included."""
    nodes, leading = body(node), _leading(node)
    if leading is not None and isinstance(leading, ast.Expr):  # a docstring stays
        start = source.text.find("\n", source.end(leading)) + 1 or len(source.text)
    else:
        line = node.returns.end_lineno if node.returns else node.lineno
        start = source.offset((line or node.lineno) + 1, 0)
    last = nodes[-1] if nodes else node.body[-1]
    end = source.text.find("\n", source.end(last)) + 1 or len(source.text)
    return start, max(start, end)


def _lines(
    source: Source, node: ast.FunctionDef, nodes: Sequence[ast.stmt]
) -> tuple[list[str], str]:
    """Return each statement's lines with the comments above it, and their indentation."""
    edge, _ = _inside(source, node)
    out = []
    for one in nodes:
        end = source.text.find("\n", source.end(one)) + 1 or len(source.text)
        if source.text[source.end(one) : end].strip()[:1] not in ("", "#"):
            raise Declined("several statements stand on one line")
        text = source.text[edge:end]
        out.append(text if text.endswith("\n") else text + "\n")
        edge = end
    return out, " " * nodes[0].col_offset


def _comments(text: str, node: ast.stmt, kept: Sequence[str]) -> str:
    """Return the comments at a statement, as lines; of those inside it what nothing else holds."""
    margin = " " * node.col_offset
    return "".join(f"{margin}{one}\n" for one in left_out(text, kept))


def _written(source: Source, parts: Sequence[Part], indent: str, what: str) -> Fixed:
    own = alembic_source.read(source.text, source.path, "")
    if own is None:
        raise Declined("it can't be read")
    new: dict[str, str] = {}
    before = own.id
    for part in parts[1:]:
        words = f"{slug(_title(source))[:30]} {part.suffix}".strip()
        digest = hashlib.sha256(f"{before} {words} {part.forward}".encode()).hexdigest()
        revision = digest[:12]
        path = source.beside(f"{revision}_{slug(words)}"[:60])
        new[path] = new_file(source, part, revision, before, words.replace("_", " "))
        before = revision
    others = redirected(source, own.id, before) if new else {}
    return Fixed(source.path, _first(source, parts[0], indent), what, new, others)


def _title(source: Source) -> str:
    said = (ast.get_docstring(source.tree) or "").split("\n")[0].strip()
    return "" if said.startswith(("Revision", "Revises")) else said


def _first(source: Source, part: Part, indent: str) -> str:
    edits = []
    for name, text in (("upgrade", part.forward), ("downgrade", part.backward)):
        node = function(source, name)
        if node is not None and (body(node) or text.strip()):
            start, end = _inside(source, node)
            edits.append((start, end, text if text.strip() else f"{indent}pass\n"))
    if part.code:
        node = function(source, "upgrade")
        assert node is not None
        at = source.offset(node.lineno, 0)
        edits.append((at, at, "".join(one + "\n\n\n" for one in part.code)))
    held = {one.strip() for one in source.text.split("\n")}
    missing = [one for one in part.imports if one not in held]
    imports = [n for n in source.tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    if missing and imports:
        at = source.end(imports[-1])
        edits.append((at, at, "".join("\n" + one for one in missing)))
    return without_unused(source, applied(source.text, edits), part.imports)


def new_file(source: Source, part: Part, revision: str, before: str, words: str) -> str:
    """Return the text of a new revision."""
    code = "def both():\n" + (part.forward + part.backward) + "\n" + "\n".join(part.code)
    imports, kept = definitions(source, code)
    used = names_in(code) | {name for one in kept for name in names_in(ast.unparse(one))}
    head = import_lines(source, imports, used)
    lines = merged([*head, *(one for one in part.imports if one not in "\n".join(head))])
    moved = [source.text[source.offset(one.lineno, 0) : source.end(one)] for one in kept]
    returns = " -> None" if re.search(r"def upgrade\(\) *-> *None", source.text) else ""
    forward, backward = (_own(text) for text in (part.forward, part.backward))
    blocks = [
        f'"""{words}\n\nRevision ID: {revision}\nRevises: {before}\n"""\n\n' + "\n".join(lines)
        + f'\n\nrevision = "{revision}"\ndown_revision = "{before}"\n'
        "branch_labels = None\ndepends_on = None",
        *moved,
        *part.code,
        f"def upgrade(){returns}:\n{forward.rstrip()}",
        f"def downgrade(){returns}:\n{(backward or '    pass').rstrip()}\n",
    ]  # fmt: skip
    return "\n\n\n".join(blocks)


def _own(text: str) -> str:
    """Leave out the comments in which Alembic says that it generated a file."""
    lines = text.splitlines(keepends=True)
    return "".join(one for one in lines if not MECHANICAL.match(one.strip()))
