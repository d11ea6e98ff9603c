"""The comments of what is rewritten: they go where it goes, and none is lost unsaid."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tidegate.workflows.check.edits import Source

MECHANICAL = ("# ### commands auto generated", "# ### end Alembic commands", "# -*- coding")


class Remarks(NamedTuple):
    """What stands about a function in words: above it, its docstring, and inside it."""

    above: tuple[str, ...] = ()
    doc: str = ""
    inside: tuple[str, ...] = ()


def comments(text: str) -> list[str]:
    """Return the comments of Python source in their order; of a part of a file as well."""
    out = []
    try:
        for one in tokenize.generate_tokens(io.StringIO(text).readline):
            if one.type == tokenize.COMMENT and not one.string.startswith(MECHANICAL):
                out.append(one.string)
    except (tokenize.TokenError, IndentationError):
        pass  # the part ends in the midst of something: what came before has been read
    return out


def left_out(text: str, made: Iterable[str]) -> list[str]:
    """Return the comments of `text` that what is made of it does not hold."""
    had = Counter(comments(text))
    for one in made:
        had -= Counter(comments(one))
    return list(had.elements())


def of_function(source: Source, node: ast.FunctionDef) -> Remarks:
    """Return what its author wrote about a function."""
    lines = source.text[: source.offset(node.lineno, 0)].splitlines()
    above: list[str] = []
    while lines and lines[-1].startswith("#"):
        above.insert(0, lines.pop())
    first = node.body[0]
    has_doc = ast.get_docstring(node) is not None
    return Remarks(
        tuple(one for one in above if not one.startswith(MECHANICAL)),
        source.of(first) if has_doc and "\n" not in source.of(first) else "",
        (*_long(node, has_doc and "\n" in source.of(first)), *comments(source.of(node))),
    )


def _long(node: ast.FunctionDef, wanted: bool) -> Sequence[str]:
    """Return a docstring of several lines as comments: its indentation would change."""
    if not wanted:
        return ()
    return [f"# {line}".rstrip() for line in (ast.get_docstring(node) or "").splitlines()]
