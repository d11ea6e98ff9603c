"""One file of a change that is made in several."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.workflows.check.edits import Source


class Declined(Exception):
    """A change can't be staged; the text says why, in the user's words."""


@dataclass(frozen=True)
class Stage:
    """What one file of a staged change holds.

    `forward` and `backward` are operations (Django: `forward` alone) or statements (Alembic), as
    source without indentation. `code` are functions that they use, `imports` what those need.
    Where `atomic` is False the file has no transaction; `alone`: nothing else may follow in it;
    `apart`: it may not join what is before it.
    """

    suffix: str
    forward: tuple[str, ...]
    backward: tuple[str, ...] = ()
    atomic: bool = True
    alone: bool = False
    apart: bool = False
    code: str = ""
    imports: tuple[str, ...] = ()


def quoted(name: str) -> str:
    """Return a table's or column's name as SQL; a schema before the table stays one."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def literal(text: str) -> str:
    """Return SQL as a Python string, over several lines where it is long."""
    if len(text) <= 80 and "\n" not in text:
        return _string(text)
    lines: list[str] = []
    for part in text.split("\n"):
        words, line = part.split(" "), ""
        for word in words:
            if line and len(line) + len(word) > 78:
                lines.append(line + " ")
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line + "\n")
    lines[-1] = lines[-1].removesuffix("\n")
    return "\n".join(_string(one) for one in lines)


def _string(text: str) -> str:
    """Return a string literal with double quotes where that needs no escape."""
    if '"' in text or "\\" in text or "\n" in text[:-1]:
        return repr(text)
    return '"' + text.replace("\n", "\\n") + '"'


def indented(code: str, by: int) -> str:
    """Return code moved to the right; empty lines stay empty."""
    return "\n".join(" " * by + line if line.strip() else line for line in code.split("\n"))


def moved(source: Source, node: ast.expr | ast.stmt) -> str:
    """Return a node's code as if it stood at the left margin."""
    if open_string(source.of(node)):
        raise Declined("it holds a string over several lines, which indenting would change")
    first, *rest = source.of(node).split("\n")
    margins = [len(one) - len(one.lstrip()) for one in rest if one.strip()]
    by = " " * min([node.col_offset, *margins])  # it may not be the first thing on its line
    return "\n".join([first, *(one.removeprefix(by) for one in rest)])


def open_string(code: str) -> bool:
    """Whether one string literal runs over several lines."""
    words = tokenize.generate_tokens(io.StringIO(code + "\n").readline)
    return any(
        one.start[0] != one.end[0] and tokenize.tok_name[one.type] in ("STRING", "FSTRING_MIDDLE")
        for one in words
    )


def names_in(code: str) -> set[str]:
    """Return the names that code reads."""
    return {one.id for one in ast.walk(ast.parse(code)) if isinstance(one, ast.Name)}


def definitions(
    source: Source, code: str
) -> tuple[list[ast.Import | ast.ImportFrom], list[ast.stmt]]:
    """Return the imports, and the other statements of the module, that `code` needs."""
    wanted, kept = names_in(code), set[int]()
    plain = [one for one in source.tree.body if not isinstance(one, ast.Import | ast.ImportFrom)]
    growing = True
    while growing:
        growing = False
        for one in plain:
            if id(one) not in kept and _defines(one) & wanted:
                kept.add(id(one))
                wanted |= names_in(ast.unparse(one))
                growing = True
    imports = [
        one
        for one in source.tree.body
        if isinstance(one, ast.Import | ast.ImportFrom) and _imported(one) & wanted
    ]
    return imports, [one for one in plain if id(one) in kept]


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(one.asname or one.name).partition(".")[0] for one in node.names}


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name} - {"Migration", "upgrade", "downgrade"}
    if isinstance(node, ast.Assign):
        return {one.id for one in node.targets if isinstance(one, ast.Name)} - OWN
    return set()


OWN = {"revision", "down_revision", "branch_labels", "depends_on"}


def import_lines(source: Source, nodes: Iterable[ast.stmt], used: set[str]) -> list[str]:
    """Return import statements with the names that are used; one of one line is cut to them."""
    out = []
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        kept = [one for one in node.names if (one.asname or one.name).partition(".")[0] in used]
        if len(kept) == len(node.names):
            out.append(source.of(node))
        elif kept:
            names = [f"{one.name} as {one.asname}" if one.asname else one.name for one in kept]
            head = (
                f"from {'.' * node.level}{node.module or ''} import "
                if isinstance(node, ast.ImportFrom)
                else "import "
            )
            out.append(head + ", ".join(names))
    return out


def merged(lines: Sequence[str]) -> list[str]:
    """Return import lines in order: the standard library, then the rest, none twice."""
    once = list(dict.fromkeys(lines))

    def place(line: str) -> tuple[bool, bool, str]:
        module = line.split()[1]
        standard = module.partition(".")[0] in sys.stdlib_module_names
        return (not standard, line.startswith("from"), module.lower())

    out: list[str] = []
    for line in sorted(once, key=place):
        if out and place(line)[0] and not place(out[-1])[0]:
            out.append("")
        out.append(line)
    return out


def slug(text: str) -> str:
    """Return words as part of a file's name."""
    return re.sub(r"\W+", "_", text.lower()).strip("_")
