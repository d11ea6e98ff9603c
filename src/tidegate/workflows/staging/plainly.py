"""A migration written out: an operation by itself on each line, without batches and loops.

What can't be divided as its author wrote it can be when it stands like this. It does the same:
on PostgreSQL a batch is no more than its statements, and a loop over constants is its rounds.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from tidegate.model.finding import Finding, Place
from tidegate.workflows.check.edits import Source, applied
from tidegate.workflows.check.fixes_django import attribute, operations
from tidegate.workflows.check.tree import Tree
from tidegate.workflows.staging import unbatched, unrolled
from tidegate.workflows.staging.common import is_about
from tidegate.workflows.staging.moments import At, before

ROUNDS = 50  # a batch in a loop in a batch
Edit = tuple[int, int, str]


def written_out(source: Source, one: Finding, database: str, framework: str) -> (
    tuple[Source, Finding, list[At]] | None
):  # fmt: skip
    """Return the file so, with the finding at its place there; None where it stands so already."""
    text = _text(source, framework)
    if text == source.text:
        return None
    try:
        parsed = ast.parse(text)
    except SyntaxError:
        return None
    ats = before(source.project, one.step, database)
    number = next((number for number, at in enumerate(ats) if is_about(at, one)), None)
    tree = Tree(source.project.root)
    tree.texts, tree.new = {**source.project.texts, source.path: text}, set(source.project.new)
    now = before(tree, one.step, database)
    if number is None or len(now) != len(ats) or _changes(now) != _changes(ats):
        return None  # it is not the same any more: not as it was meant, then
    span = now[number].operation.span
    moved = replace(one, place=Place(one.place.path, *span))
    return Source(tree, source.path, text, parsed), moved, now


def _changes(ats: Sequence[At]) -> list[str]:
    return [type(at.change).__name__ + str(getattr(at.change, "table", "")) for at in ats]


def _text(source: Source, framework: str) -> str:
    if framework == "django":
        return applied(source.text, _lines_of_list(source))
    text = source.text
    for _ in range(ROUNDS):
        now = Source(source.project, source.path, text, ast.parse(text))
        edits = _lines_of_body(now) or unrolled.first(now) or unbatched.first(now)
        if not edits:
            return text
        text = applied(text, edits)
    return source.text


def _lines_of_list(source: Source) -> list[Edit]:
    """Return the edits that give each operation of the list lines of its own."""
    listed, nodes = attribute(source, "operations"), operations(source)
    if listed is None or not nodes:
        return []
    margin = " " * listed.col_offset
    starts = [source.start(one) for one in nodes]
    ends = [source.end(one) for one in nodes]
    gaps = [(source.start(listed.value) + 1, starts[0], "\n" + margin + "    ")]
    gaps += [(end, start, ",\n" + margin + "    ")
             for end, start in zip(ends[:-1], starts[1:], strict=True)]  # fmt: skip
    gaps.append((ends[-1], source.end(listed.value) - 1, ",\n" + margin))
    return [one for one in gaps if "\n" not in source.text[one[0] : one[1]]]


def _lines_of_body(source: Source) -> list[Edit]:
    """Return the edits that give each statement of both directions a line of its own."""
    out = []
    for function in unbatched.directions(source):
        for one, other in zip(function.body, function.body[1:], strict=False):
            start, end = source.end(one), source.start(other)
            if re.fullmatch(r"[ \t]*;[ \t]*", source.text[start:end]):
                out.append((start, end, "\n" + " " * function.body[0].col_offset))
    return out
