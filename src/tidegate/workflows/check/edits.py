"""Edits of a Python file's text at the places of its syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from tidegate.model.finding import Place
from tidegate.workflows.check.tree import Tree


@dataclass(frozen=True)
class Fixed:
    """What a fix makes: the file anew, new files, what was done in words, other files anew."""

    path: str
    text: str
    what: str
    more: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A file of a project, its text and its syntax tree."""

    project: Tree
    path: str
    text: str
    tree: ast.Module

    def offset(self, line: int, column: int) -> int:
        """Return the offset in the text of a line and a column in bytes, both as `ast` counts."""
        lines = self.text.split("\n")  # as Python counts them: a form feed ends no line
        if not self.text or line > len(lines):
            return len(self.text)
        before = sum(len(one) + 1 for one in lines[: line - 1])
        return before + len(lines[line - 1].encode()[:column].decode())

    def margin(self, node: ast.expr | ast.stmt) -> str:
        """Return what a node's line is indented by."""
        line = self.text.split("\n")[node.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return where a node ends."""
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def of(self, node: ast.expr | ast.stmt) -> str:
        """Return a node's text."""
        return self.text[self.start(node) : self.end(node)]

    def call_at(self, place: Place) -> ast.Call | None:
        """Return the outermost call that begins at a place."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            begins = (node.lineno, node.col_offset + 1) == (place.line, place.column)
            if begins and node.end_lineno == place.end_line:
                return node
        return None

    def with_argument(self, call: ast.Call, argument: str) -> tuple[int, int, str]:
        """Return the edit that adds an argument at the end of a call."""
        last = max(
            (self.end(one) for one in (*call.args, *(word.value for word in call.keywords))),
            default=0,
        )
        close = self.end(call) - 1
        if not last:
            return (close, close, argument)
        rest = self.text[last:close]
        if "\n" not in rest:
            return (last, close, f", {argument}")
        line = self.text[: self.text.rindex("\n", 0, last) + 1]
        indent = self.text[len(line) : last]
        indent = indent[: len(indent) - len(indent.lstrip())]
        comma = "" if rest.lstrip().startswith(",") else ","
        at = last + rest.index(",") + 1 if not comma else last
        return (at, at, f"{comma}\n{indent}{argument},")

    def neighbours(self) -> list[str]:
        """Return the names of the files beside this one, without `.py`."""
        return self.project.names(self.path.rpartition("/")[0])

    def beside(self, name: str) -> str:
        """Return the path of a file beside this one."""
        return f"{self.path.rpartition('/')[0]}/{name}.py"


def applied(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Return the text with edits (start, end, new) made; they must not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def unknown(code: str, imports: list[str]) -> bool:
    """Whether code uses a name that neither Python nor the imports know."""
    import builtins

    known = set(dir(builtins))
    for line in imports:
        for node in ast.walk(ast.parse(line)):
            if isinstance(node, ast.alias):
                known.add((node.asname or node.name).partition(".")[0])
    tree = ast.parse(code)
    names = [one for one in ast.walk(tree) if isinstance(one, ast.Name)]
    known |= {one.id for one in names if isinstance(one.ctx, ast.Store)}
    known |= {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}
    return any(one.id not in known for one in names)


def imports_for(source: Source, code: str) -> list[str]:
    """Return the import statements of a file whose names `code` uses."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    kept = []
    for node in source.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {(one.asname or one.name).partition(".")[0] for one in node.names}
            if names & used:
                kept.append(source.of(node))
    return kept
