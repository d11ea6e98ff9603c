"""Rewrites migration files where that is safe: comments and formatting stay as they are.

A fix is made of edits to the source text at the places of the syntax tree. What it makes is
parsed again before it is written; a file that would not parse is left alone. Steps that others
depend on get no successor, since that would change their order.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tidegate.model.finding import Finding
from tidegate.workflows.check import fixes_alembic, fixes_django
from tidegate.workflows.check.edits import Fixed, Source
from tidegate.workflows.check.review import review

FIXERS = {"django": fixes_django.FIXERS, "alembic": fixes_alembic.FIXERS}
ROUNDS = 1000  # each mends one finding and looks anew, since a fix moves what follows


class Left(NamedTuple):
    """A finding that a fixer declined."""

    rule: str
    path: str
    message: str


def fix(
    root: str,
    paths: Sequence[str],
    since: str,
    steps: Collection[str] | None,
    database: str,
    environ: Mapping[str, str],
) -> Iterator[str]:
    """Rewrite what can be; yield a line for each file that was written."""
    declined: set[Left] = set()
    for _ in range(ROUNDS):
        found = review(root, paths, since=since, steps=steps, database=database, environ=environ)
        for one in found.findings:
            key = Left(one.rule, one.place.path, one.message)
            if not one.fixable or key in declined:
                continue
            made = _fixed(root, one)
            if made is None:
                declined.add(key)
                continue
            yield from _write(root, made)
            break
        else:
            return


def _fixed(root: str, one: Finding) -> Fixed | None:
    """Return what mends a finding; None where it can't be mended safely."""
    path = Path(root, one.place.path)
    text = path.read_bytes().decode("utf-8")
    source = Source(root, one.place.path, text, ast.parse(text))
    framework = "django" if "class Migration" in text else "alembic"
    fixer = FIXERS[framework].get(one.rule)
    made = fixer(source, one) if fixer is not None else None
    if made is None or made.text == text:
        return None
    try:
        for new in (made.text, *made.more.values()):
            ast.parse(new)
    except SyntaxError:
        return None
    return made


def _write(root: str, made: Fixed) -> Iterator[str]:
    for path, text in made.more.items():
        if Path(root, path).exists():
            return
        Path(root, path).write_bytes(text.encode())
        yield f"{path} written: {made.what}"
    Path(root, made.path).write_bytes(made.text.encode())
    yield f"{made.path}: {made.what}"
